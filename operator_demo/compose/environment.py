"""`env_file` and `environment` of a service."""

from collections.abc import Mapping

from operator_demo.compose.dotenv import parse_dotenv
from operator_demo.compose.folder import Folder
from operator_demo.document import Entries, Value


def read_environment(keys: Entries, folder: Folder) -> dict[str, str | None]:
    """Of `env_file`, overridden by `environment`. A name without a value is taken from the environment; where that
    lacks it, it stays unset: None."""
    variables: dict[str, str | None] = {}
    if "env_file" in keys:
        of_files: dict[str, str] = {}
        for entry in keys["env_file"].one_or_more():
            of_files.update(_env_file(entry, folder, of_files))
        variables.update(of_files)
    if "environment" in keys:
        env = keys["environment"].document.env
        for name, value in keys["environment"].pairs().items():
            if "=" in name or not name:
                keys["environment"].fail(f"{name!r} is no name of a variable")
            variables[name] = env.get(name) if value is None else value
    return variables


def _env_file(value: Value, folder: Folder, before: Mapping[str, str]) -> dict[str, str]:
    path, required = value, True
    if value.is_map:
        keys = value.map(("path", "required"))
        if "path" not in keys:
            value.fail("the path is missing")
        path, required = keys["path"], keys.read("required", Value.boolean, True)
    file = path.parsed(folder.file)
    try:
        text = file.read_bytes().decode()
    except FileNotFoundError:
        if not required:
            return {}
        path.fail(f"there is no file {file}")
    except (OSError, ValueError) as e:
        path.fail(f"cannot read {file}: {getattr(e, 'strerror', None) or e}")
    try:
        variables = parse_dotenv(text, {**value.document.env, **before})
    except ValueError as e:
        path.fail(f"{path.text()}: {e}")
    if any("\0" in v for v in variables.values()):
        path.fail(f"{path.text()}: a zero byte is not allowed")
    return variables
