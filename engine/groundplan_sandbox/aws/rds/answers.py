"""RDS's answers where moto has none: parameters of a group get their defaults back. Databases are `instances`'."""

from typing import Any

from moto.core.responses import ActionResult
from moto.rds.exceptions import DBParameterGroupNotFoundError
from moto.rds.responses import RDSResponse
from moto.rds.urls import url_bases as moto_bases


class _Answers(RDSResponse):  # type: ignore[misc]  # moto's classes are untyped to us
    def reset_db_parameter_group(self) -> Any:
        """Forget the values that were set, by name or all of them."""
        name = self.params["DBParameterGroupName"]
        group = self.backend.db_parameter_groups.get(name)
        if group is None:
            raise DBParameterGroupNotFoundError(name)
        given = [parameter["ParameterName"] for parameter in self.params.get("Parameters", [])]
        for parameter in list(group.parameters) if self.params.get("ResetAllParameters") else given:
            group.parameters.pop(parameter, None)
        return ActionResult({"DBParameterGroupName": group.name})


class Urls:
    """What moto reads of the module that names a backend's URLs."""

    url_bases = moto_bases
    url_paths = {"{0}/$": _Answers.dispatch}  # noqa: RUF012 - moto's shape
