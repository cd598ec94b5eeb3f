"""The files through which the small programs are started; also what a download of one of them gives.

Used inside (curl, yum) and outside (`layout.py`), so it knows no path by itself.
"""

from pathlib import Path


def launcher(name: str, *, python: str, library: str, root: str, control: str) -> str:
    """The text of an executable that runs the program `name`, whatever its file is called."""
    return (
        f"#!{python} -IS\n"
        f"import sys\nsys.path.insert(0, {library!r})\n"
        f"from programs.main import main\nmain({name!r}, {root!r}, {control!r})\n"
    )


def write_executable(path: Path, text: str) -> None:
    """Write an executable in one step, so that whoever runs the old one is not disturbed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text)
    temporary.chmod(0o755)
    temporary.replace(path)
