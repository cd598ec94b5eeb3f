"""`blueprints graph`: what a blueprint holds is in the picture, nothing overlaps, and SVG and PNG can be read."""

import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from groundplan.cli.main import cli
from groundplan.diagnostics.trouble import UsageError
from groundplan.service.pictures.layout import Layout, Rectangle, Size, arrange
from groundplan.service.pictures.picture import Arrow, Box, Kind, Picture, Stroke

SHOP = """
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs: {behind: {type: string, default: vpc}}
relationships:
  reads_from: {derived_from: cloudify.relationships.depends_on}
node_templates:
  vm: {type: cloudify.nodes.Compute, instances: {deploy: 3}}
  web:
    type: cloudify.nodes.WebServer
    relationships:
      - {type: cloudify.relationships.contained_in, target: vm}
      - {type: reads_from, target: network}
      - {type: cloudify.relationships.connected_to, target: other}
  network:
    type: cloudify.nodes.Component
    properties: {resource_config: {blueprint: {id: {get_input: behind}}}}
  other:
    type: cloudify.nodes.Component
    properties: {resource_config: {blueprint: {id: nowhere}}}
"""
VPC = """
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_templates:
  inner_subnet: {type: cloudify.nodes.Subnet}
  itself:
    type: cloudify.nodes.Component
    properties: {resource_config: {blueprint: {id: vpc}}}
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A blueprint in a home where the blueprint of one of its components is uploaded."""
    monkeypatch.setenv("GROUNDPLAN_HOME", str(tmp_path / "home"))
    for name, text in (("shop", SHOP), ("vpc", VPC)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "blueprint.yaml").write_text(text)
    run("blueprints", "upload", str(tmp_path / "vpc"))
    return tmp_path / "shop" / "blueprint.yaml"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, catch_exceptions=False, standalone_mode=False)


def mermaid(*arguments: str) -> str:
    return run("blueprints", "graph", *arguments).output


def test_templates_stand_in_what_they_are_contained_in(shop: Path) -> None:
    lines = [line.strip() for line in mermaid(str(shop)).splitlines()]
    begin = next(index for index, line in enumerate(lines) if line.startswith("subgraph") and "vm ×3" in line)
    assert "web" in "".join(lines[begin : lines.index("end", begin)])


def test_relationships_are_arrows_with_the_names_of_their_own_types(shop: Path) -> None:
    drawn = mermaid(str(shop))
    assert '-->|"reads_from"|' in drawn
    assert drawn.count("-.->") == 1
    assert "contained_in" not in drawn


def test_a_component_holds_what_the_uploaded_blueprint_holds(shop: Path) -> None:
    drawn = mermaid(str(shop))
    assert "inner_subnet" in drawn
    assert "blueprint vpc, as further out" in drawn
    assert "blueprint nowhere, not uploaded" in drawn


def test_inputs_choose_the_blueprint_behind_a_component(shop: Path) -> None:
    assert "inner_subnet" not in mermaid(str(shop), "-i", "behind=elsewhere")
    with pytest.raises(UsageError):
        mermaid(str(shop), "-i", "nonsense=1")


@pytest.mark.slow
def test_drawings_can_be_read_by_others(shop: Path, tmp_path: Path) -> None:
    for name in ("shop.svg", "shop.png"):
        run("blueprints", "graph", str(shop), "-o", str(tmp_path / name))
    texts = "".join(ET.parse(tmp_path / "shop.svg").getroot().itertext())
    assert all(name in texts for name in ("web", "network", "inner_subnet", "reads_from", "depends on"))
    with Image.open(tmp_path / "shop.png") as image:
        assert image.format == "PNG"
        assert min(image.size) > 300


@pytest.mark.parametrize("arguments", [("--format", "svg"), ("-o", "picture.gif")])
def test_a_drawing_without_a_place_or_a_form_is_refused(shop: Path, arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        mermaid(str(shop), *arguments)


def test_a_faulty_blueprint_is_not_drawn(shop: Path) -> None:
    shop.write_text(SHOP.replace("WebServer", "WebServr"))
    result = CliRunner().invoke(cli, ["blueprints", "graph", str(shop)])
    assert result.exit_code == 2
    assert "did you mean 'cloudify.nodes.WebServer'?" in result.output


def box(name: str, *inside: Box) -> Box:
    return Box(id=name, title=name, subtitle="", kind=Kind.OTHER, boxes=inside)


def arranged(boxes: list[Box], *arrows: str) -> Layout:
    ends = [each.split(">") for each in arrows]
    made = tuple(Arrow(source=source, target=target, stroke=Stroke.DEPENDS) for source, target in ends)
    return arrange(Picture(title="", boxes=tuple(boxes), arrows=made), lambda found: Size(60 + 9 * len(found.id), 40))


def apart(one: Rectangle, other: Rectangle) -> bool:
    beside = one.x + one.width <= other.x or other.x + other.width <= one.x
    return beside or one.y + one.height <= other.y or other.y + other.height <= one.y


def test_no_box_lies_on_another_and_what_is_needed_stands_above() -> None:
    names = [f"n{number}" for number in range(40)]
    arrows = [f"n{number}>n{number // 3}" for number in range(1, 40)] + ["n39>n0", "n20>n1"]
    found = arranged([box(name) for name in names], *arrows)
    assert all(apart(found.rectangles[one], found.rectangles[other]) for one, other in combinations(names, 2))
    assert all(found.rectangles[a.source].y > found.rectangles[a.target].y for a, _ in found.routes)


def test_boxes_inside_stay_inside() -> None:
    found = arranged([box("outer", box("a"), box("b", box("c"))), box("beside")], "c>beside", "a>b").rectangles
    for inner, outer in (("a", "outer"), ("b", "outer"), ("c", "b")):
        here, frame = found[inner], found[outer]
        assert frame.x < here.x
        assert frame.y < here.y
        assert here.x + here.width < frame.x + frame.width
        assert here.y + here.height < frame.y + frame.height


def test_a_circle_of_arrows_is_drawn_all_the_same() -> None:
    found = arranged([box("a"), box("b"), box("c")], "a>b", "b>c", "c>a", "a>c")
    assert len(found.routes) == 4


def test_long_rows_are_cut() -> None:
    found = arranged([box("top"), *(box(f"n{number}") for number in range(60))], *(f"n{i}>top" for i in range(60)))
    assert found.size.width < 3 * found.size.height
