"""Which members a scaling group has, and which groups can scale at all (spec 1.15)."""

from .writing import blueprint, faults

TREE = """
    node_types: {t: {}}
    relationships: {cloudify.relationships.contained_in: {}}
    node_templates:
      host: {type: t}
      app: {type: t, relationships: [{type: cloudify.relationships.contained_in, target: host}]}
      ip: {type: t}
    policies: {p: {type: cloudify.policies.scaling, targets: [TARGETS]}}
    groups:
"""


def members(groups: str, targets: str) -> tuple[str, ...]:
    return blueprint(TREE.replace("TARGETS", targets) + groups).scaling_groups["g"].members


def test_a_member_in_another_member_follows_it() -> None:
    assert members("      g: {members: [host, app, ip]}", "g") == ("host", "ip")


def test_a_member_follows_what_a_scaling_group_holds() -> None:
    assert members("      {g: {members: [app, inner]}, inner: {members: [host]}}", "g, inner") == ("inner",)


def test_a_group_that_does_not_scale_stays_a_member_as_it_is() -> None:
    assert members("      {g: {members: [host, inner]}, inner: {members: [app]}}", "g") == ("host", "inner")


def test_a_contained_member_shares_no_container_with_a_free_one() -> None:
    groups = "      g: {members: [app, ip]}"
    assert faults(TREE.replace("TARGETS", "g") + groups) == ["group-containers@10:3"]


def test_what_follows_a_free_member_is_free_with_it() -> None:
    assert members("      {g: {members: [inner]}, inner: {members: [host, app, ip]}}", "g, inner") == ("inner",)
