"""Starts, empties and stops the sandbox's AWS: one HTTP endpoint on 127.0.0.1 for every service and region.

moto keeps its state in module globals, so a process holds at most one of these at a time.
"""

import contextlib
import logging
import socket
import tempfile
import threading
from pathlib import Path

from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from groundplan_sandbox.aws import buckets, iam
from groundplan_sandbox.aws.addresses import AddressPool
from groundplan_sandbox.aws.corrections import Corrections
from groundplan_sandbox.aws.ec2 import region
from groundplan_sandbox.aws.ec2.world import World
from groundplan_sandbox.aws.faults import Faults
from groundplan_sandbox.aws.gate import Gate
from groundplan_sandbox.aws.lifecycle import Instances
from groundplan_sandbox.aws.site import Servers, Site
from groundplan_sandbox.credentials import Credentials
from groundplan_sandbox.kubernetes.cluster import KubernetesCluster
from groundplan_sandbox.kubernetes.door import MakeCluster

PRELOADED = ("sts", "iam", "s3")
"""Services whose first call would cost the user a second; EC2 is loaded with this module."""

POLL = 0.1
"""Seconds between looks whether to stop."""


class AwsServer:
    """The endpoint. `instances` is the caller's, who made it with the machines; this stops using it at `stop`."""

    def __init__(
        self,
        credentials: Credentials,
        instances: Instances,
        *,
        folder: Path | None = None,
        confined: bool = True,
        make_cluster: MakeCluster = KubernetesCluster,
    ) -> None:
        """folder: for the files of servers, made and removed here; a temporary one by default.

        confined: whether the programs of servers run in namespaces of their own.
        make_cluster: makes what answers for an EKS cluster.
        """
        self._credentials = credentials
        self._folder = folder if folder is not None else Path(tempfile.mkdtemp(prefix="groundplan-aws-"))
        self._instances = instances
        self._addresses = AddressPool()
        self.faults = Faults()
        """Calls that are to go wrong; kept over a reset."""
        self._servers = Servers(self._folder, self._addresses)
        self._site = Site(
            transitions=instances.transitions,
            servers=self._servers,
            credentials=credentials,
            confined=confined,
            make_cluster=make_cluster,
        )
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    def start(self, preferred_port: int | None = None) -> str:
        """Serve on `preferred_port` if it is free, else on any; gives the URL. Raises OSError."""
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        iam.install()
        buckets.install()
        region.install(
            World(
                instances=self._instances,
                addresses=self._addresses,
                keypair_name=self._credentials.keypair_name,
                public_key=self._credentials.public_key,
            )
        )
        dispatcher = DomainDispatcherApplication(create_backend_app)
        # werkzeug ends the process when it cannot bind; a socket of our own raises instead.
        listener = _listen(preferred_port)
        port = listener.getsockname()[1]
        self._server = make_server(
            "127.0.0.1",
            port,
            Gate(dispatcher, self._credentials, self._instances.guard, Corrections(self._site).load, self.faults),
            threaded=True,
            request_handler=MotoRequestHandler,
            fd=listener.detach(),
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL,), name="aws", daemon=True)
        self._thread.start()
        threading.Thread(target=_preload, args=(dispatcher,), name="aws-preload", daemon=True).start()
        return f"http://127.0.0.1:{port}"

    def reset(self) -> None:
        """Forget everything that was created; credentials and key pair stay."""
        with self._instances.guard:
            terminate_machines = self._instances.forget_all()
            BackendDict.reset()
            self._servers.end_all()
            self._addresses.release_all()
        terminate_machines()

    def stop(self) -> None:
        """Stop serving and forget everything. The machines are gone when this returns."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        if self._thread is not None:
            self._thread.join()
        self._instances.close()
        self._servers.end_all()
        BackendDict.reset()
        self._addresses.release_all()


def _listen(preferred: int | None) -> socket.socket:
    if preferred is not None:
        with contextlib.suppress(OSError):
            return socket.create_server(("127.0.0.1", preferred))
    return socket.create_server(("127.0.0.1", 0))


def _preload(dispatcher: DomainDispatcherApplication) -> None:
    for service in PRELOADED:
        dispatcher.get_application(
            {
                "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/{service}/aws4_request",
                "HTTP_HOST": "",
            }
        )
