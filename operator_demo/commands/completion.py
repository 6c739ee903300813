"""`operator-demo completion`, and the functions for `shell_complete=`.

They run at every Tab. So nothing slow is imported here, no engine is asked, and what cannot be read is left out
silently.
"""

import os
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

DEFAULT_SUBJECT = "etcd"  # as `run` and `scenarios` have it
NEWEST = 50  # ids offered at most

# The program may be called by a path, and need not be on PATH. The typed word is started, or, if that is not possible
# (`~/talk/operator-demo`), the file that printed the script. The variables are those that click expects.
SCRIPTS = {
    "bash": r"""_operator_demo_completion() {
    local IFS=$'\n' program=$1 line
    type -P "$program" >/dev/null || program=@PROGRAM@
    COMPREPLY=()
    while read -r line; do
        case $line in
            plain,*) COMPREPLY+=("${line#plain,}") ;;
            dir,*) compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -d -- "$2")) ;;
            file,*) compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -f -- "$2")) ;;
        esac
    done < <(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" _OPERATOR_DEMO_COMPLETE=bash_complete \
        "$program" 2>/dev/null)
}
complete -o nosort -F _operator_demo_completion @NAMES@ 2>/dev/null ||
    complete -F _operator_demo_completion @NAMES@
""",
    "zsh": r"""#compdef @NAMES@
_operator_demo_completion() {
    local program=${(Q)words[1]} type key description
    local -a answer plain described
    (( $+commands[$program] )) || [[ -x $program ]] || program=@PROGRAM@
    answer=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) _OPERATOR_DEMO_COMPLETE=zsh_complete \
        "$program" 2>/dev/null)}")
    for type key description in ${answer}; do
        case $type in
            plain) if [[ $description == _ ]]; then plain+=("$key"); else described+=("$key:$description"); fi ;;
            dir) _path_files -/ ;;
            file) _path_files -f ;;
        esac
    done
    [[ -z $described ]] || _describe -V unsorted described -U
    [[ -z $plain ]] || compadd -U -V unsorted -a plain
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _operator_demo_completion "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _operator_demo_completion @NAMES@
fi
""",
    "fish": r"""function __operator_demo_completion
    set -l words (commandline -opc)
    set -l program $words[1]
    type -q "$program"; or set program @PROGRAM@
    for line in (env COMP_WORDS=(commandline -cp) COMP_CWORD=(commandline -t) \
            _OPERATOR_DEMO_COMPLETE=fish_complete "$program" 2>/dev/null)
        set -l parts (string split -m 1 , -- $line)
        switch $parts[1]
            case plain
                echo $parts[2]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
        end
    end
end
for name in @NAMES@
    complete --no-files --keep-order --command $name --arguments '(__operator_demo_completion)'
end
""",
}


@click.command()
@click.argument("shell", type=click.Choice(list(SCRIPTS)))
def completion(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash, in ~/.bashrc:                    eval "$(operator-demo completion bash)"
    zsh, in ~/.zshrc:                      eval "$(operator-demo completion zsh)"
    fish, in ~/.config/fish/config.fish:   operator-demo completion fish | source
    """
    sys.stdout.write(script(shell, os.path.abspath(sys.argv[0])))


def script(shell: str, program: str) -> str:
    """`program` is the path of the file that completes. A renamed file is completed under both names."""
    import shlex

    names = dict.fromkeys(["operator-demo", os.path.basename(program)])
    return SCRIPTS[shell].replace("@NAMES@", " ".join(map(shlex.quote, names))).replace("@PROGRAM@",
                                                                                       shlex.quote(program))


# -- completions -----------------------------------------------------------------------------------------------------


def subject(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """A subject by name, or a folder."""
    if _is_path(incomplete):
        return [CompletionItem(incomplete, type="dir")]
    names = [entry.name for entry in _subjects().iterdir() if entry.joinpath("subject.py").is_file()]
    return _beginning_with(incomplete, sorted(names))


def scenario(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """A scenario of the subject named before it, or a file."""
    if _is_path(incomplete):
        return [CompletionItem(incomplete, type="file")]
    # After an option without a value, click leaves the arguments unparsed.
    chosen = next(iter(ctx.args), None) or ctx.params.get("subject") or DEFAULT_SUBJECT
    folder = Path(chosen) if "/" in chosen else _subjects().joinpath(chosen)
    with suppress(OSError):
        return _beginning_with(incomplete, sorted(entry.name.removesuffix(".yaml")
                                                  for entry in folder.joinpath("scenarios").iterdir()
                                                  if entry.name.endswith(".yaml")))
    return []


def file(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Any file."""
    return [CompletionItem(incomplete, type="file")]


def folder(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Any folder."""
    return [CompletionItem(incomplete, type="dir")]


def recorded(*kinds: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]:
    """The newest ids of these kinds (session, run, ticket) in the host's store, and `last`."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        from operator_demo.errors import OperatorError
        from operator_demo.home import store_path
        from operator_demo.store import Store
        from operator_demo.text import clean, one_line

        columns = {"session": "session AS id, summary AS help, started AS at FROM agent_sessions",
                   "run": "run AS id, outcome AS help, started AS at FROM runs",
                   "ticket": "ticket AS id, title AS help, opened AS at FROM tickets"}
        query = " UNION ALL ".join(f"SELECT {columns[kind]}" for kind in kinds) + f" ORDER BY at DESC LIMIT {NEWEST}"
        items = [CompletionItem("last", help="the newest")]
        with suppress(OperatorError), closing(Store(store_path(), read_only=True)) as store:
            items += [CompletionItem(row["id"], help=one_line(clean(row["help"] or ""), 60) or None)
                      for row in store.rows(query)]
        return [item for item in items if item.value.startswith(incomplete)]

    return complete


def replayed(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The recordings that are shipped, the newest runs, or a file."""
    from operator_demo.replay.source import recordings

    shipped = _beginning_with(incomplete, recordings())
    if _is_path(incomplete) and not shipped:
        return [CompletionItem(incomplete, type="file")]
    return shipped + recorded("run")(ctx, param, incomplete)


def _subjects() -> "Traversable":
    from importlib.resources import files

    return files("subjects")


def _is_path(text: str) -> bool:
    return "/" in text or text.startswith((".", "~"))


def _beginning_with(incomplete: str, names: list[str]) -> list[CompletionItem[str]]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
