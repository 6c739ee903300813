"""One HTML file that needs nothing else: its data, its script and its style are inside, and nothing can be fetched.

What comes from outside travels as JSON in an element that no browser runs, and the script writes it into the page as
text alone. The policy of the page names the scripts and styles by their hashes and forbids everything else.
"""

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

Json = dict[str, Any]

_CHART = ("vendor/uPlot.iife.min.js", "vendor/uPlot.min.css")
_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="operator-demo">
<title>{title}</title>
<link rel="icon" href="data:,">
{styles}
</head>
<body>
<noscript>This page is drawn by the script that it contains. Allow scripts to read it.</noscript>
<main id="page"></main>
<script type="application/json" id="data">{data}</script>
{scripts}
</body>
</html>
"""


def run_page(data: Json) -> str:
    """The page of `digest.digest`."""
    run = data["run"]
    title = f"{run['subject']} {run['scenario']}: {data['verdict']['words']} ({run['id']})"
    return _page(title, data, [_CHART[0], "assets/common.js", "assets/axis.js", "assets/run.js"],
                 [_CHART[1], "assets/page.css"])


def campaign_page(data: Json) -> str:
    """The page of `campaign.digest`."""
    return _page(data["title"], data, ["assets/common.js", "assets/campaign.js"], ["assets/page.css"])


def as_json(value: Any) -> str:
    """JSON that no HTML parser sees markup in, whatever its texts hold."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _page(title: str, data: Json, scripts: Sequence[str], styles: Sequence[str]) -> str:
    code, looks = [_file(name) for name in scripts], [_file(name) for name in styles]
    policy = (f"default-src 'none'; script-src {_hashes(code)}; style-src {_hashes(looks)}; img-src data:; "
              "base-uri 'none'; form-action 'none'")
    return _TEMPLATE.format(policy=policy, title=html.escape(title), data=as_json(data),
                            styles="\n".join(f"<style>{text}</style>" for text in looks),
                            scripts="\n".join(f"<script>{text}</script>" for text in code))


def _file(name: str) -> str:
    return files("operator_demo.report").joinpath(name).read_text(encoding="utf-8")


def _hashes(texts: Sequence[str]) -> str:
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
    return " ".join(f"'sha256-{digest}'" for digest in digests)
