"""Pages with one mistake each: a check that does not find its own is a defect."""

import re
import sys
import tempfile
from pathlib import Path

DEMO = """#!/bin/bash
# The help that a sample knows.
echo 'scripts/demo [--check] [--dir DIR]'
"""
RIGHT = """# A page

[itself](#two-words-and-code), [the other](docs/other.md#heading-1), [a folder](docs/), <https://example.com/x>
<a href="#named"></a> <a id="named"></a>

## Two words, and `code`

`authgate user list --json FILE`, `authgate keys new|rotate`, `scripts/demo --check`, `authgate off`, `docs/*.md`,
`$authgate_users`

```sh
scripts/demo --check --dir=x
openssl rand -base64 32 | authgate user set /etc/nginx/authgate/users carol
authgate user check /etc/nginx/authgate/users alice > said
nginx -t && nginx -s reload
curl -fsS --user alice http://127.0.0.1:8080/
kill -USR2 "$(cat /run/nginx.pid)"
```

```htpasswd file=/etc/here
erin:x
```

<!-- sh
grep erin /etc/here
fails grep alice /etc/here
-->
"""
SOURCE = """const NAMES: [&str; 2] = ["authgate_realm", "authgate_users"];"""
IMAGE = "# Nothing leads to the image"
OTHER = "# Other\n\n## Heading\n\n## Heading\n"

# What is found, and the page that has it.
WRONG = {
    r"docs/none.md: there is no such file": "[x](docs/none.md)",
    r"target/x: there is no such file": "[x](target/x)",
    r"none.png: there is no such file": '<img src="none.png">',
    r"#nothing: there is no such heading": "[x](#nothing)",
    r"other.md#heading-2: there is no such heading": "[x](docs/other.md#heading-2)",
    r"http://example.com/: not https": "[x](http://example.com/)",
    r"https://localhost/: not an address": "<https://localhost/>",
    r"mailto:\S+: not https": "[x](mailto:someone@example.com)",
    r"docs/other.md:1: no link from README.md leads here": None,
    r"docs/image.png:1: no link from README.md leads here": IMAGE,
    r"authgate_reelm: there is no such directive": "`authgate_reelm`",
    r"no such language: ngnix": "```ngnix\nuser x;\n```",
    r"no-run needs a reason": "```sh no-run\ntrue\n```",
    r"README.md:2: bash: syntax error": "```sh\n(true))\n```",
    r"README.md:2: shellcheck: .*SC2086": "```sh\nx='a b'; cat $x\n```",
    r"docs/none.conf: there is no such file": "`docs/none.conf`",
    r"src/none/: there is no such file": "`src/none/`",
    r"scripts/none: there is no such file": "```sh no-run: a sample\nscripts/none\n```",
    r"authgate user: there is no command lst": "`authgate user lst FILE`",
    r"authgate: there is no command kez": "`authgate kez new`",
    r"authgate user list: there is no option --jsn": "`authgate user list --jsn`",
    r"scripts/demo: there is no option --chek": "`scripts/demo [--chek]`",
    r"x.conf:2: authgate user list: there is no option --jsn": "CONF#\n#     authgate user list \\\n#         --jsn FILE\n",
    r"shellcheck: .*SC2251": "<!-- sh\n! true\ntrue\n-->",
}
# Those that are found when their commands are run.
WRONG_TO_RUN = {
    r"README.md:3: fails .*\n.*demo: there is no option --chek": "```sh\ntrue\nscripts/demo --chek\n```",
    r"README.md:2: fails with 127(.*\n)+.*scripts/none": "```sh\nscripts/none\n```",
    r"README.md:2: fails with 127(.*\n)+.*instal\b": "```sh\ninstal -d x\n```",
    r"README.md:3: fails with 2(.*\n)+.*--jsn": "```sh\ntrue\nauthgate user list --jsn /etc/nginx\n```",
    r"README.md:2: fails with 1: install": "```sh\ninstall -m 644 none.conf -t /etc/nginx\n```",
    r"README.md:2: fails with 1: chgrp": "```sh\nchgrp ww-data /etc/nginx/authgate/users\n```",
    r"README.md:2: fails with 1: return 1": "<!-- sh\nfails true\n-->",
    r"curl: there is no option --usr": "```sh\ncurl --usr alice http://127.0.0.1/\n```",
    r"nginx: there is no relod": "```sh\nnginx -s relod\n```",
    r"README.md:6: fails with 1: grep": "```ini file=/etc/x\na=b\n```\n\n<!-- sh\ngrep c /etc/x\n-->",
    r"README.md:2: fails with 1: touch": "```sh\ntouch docs/written\n```",
}


def check(target, tree_of, can_run):
    wrong = WRONG | WRONG_TO_RUN if can_run else WRONG
    with tempfile.TemporaryDirectory(prefix="check-docs-") as folder:
        if mistakes := mistakes_of(folder, "right", RIGHT, target, tree_of, can_run):
            sys.exit(f"check-docs: the sample without a mistake has some:\n{mistakes}")
        for number, (pattern, text) in enumerate(wrong.items()):
            text = f"{text}\n\n[other](docs/other.md)\n" if text else "# No link\n"
            found = mistakes_of(folder, str(number), text, target, tree_of, can_run)
            if len(re.findall(r"^\S+:\d+: ", found, re.MULTILINE)) != 1 or not re.search(pattern, found):
                sys.exit(f"check-docs: not found as {pattern!r} in\n{text}\nbut:\n{found}")


def mistakes_of(folder, name, text, target, tree_of, can_run):
    root = Path(folder) / name
    conf = text[len("CONF"):] if text.startswith("CONF") else ""
    text = RIGHT if conf else text
    # Without git, as here, what is built is no page of ours.
    built = {"target/nginx/README.md": "[no](page)\n"}
    files = built | {"README.md": text, "docs/other.md": OTHER, "scripts/demo": DEMO, "src/lib.rs": SOURCE, "x.conf": conf}
    if text.startswith(IMAGE):
        files["docs/image.png"] = "x"
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    (root / "scripts/demo").chmod(0o755)
    mistakes = tree_of(root, target).mistakes(can_run=can_run)
    return "\n".join(f"{path}:{line}: {mistake}" for path, line, mistake in mistakes)
