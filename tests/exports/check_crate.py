"""Hold a crate against its profile with roc-validator, without a network.

Runs under the Python of an environment of its own that holds roc-validator and rocrate 0.13.0: the
first pins an old rich, the second brings the context of RO-Crate 1.1, which the validator would
otherwise fetch. Usage: python check_crate.py CRATE FOLDER, where FOLDER takes the HTTP cache.

Prints {"required": [...], "recommended": [...]}: each check that failed, with its message and how
many entities it failed for. Exit 1 where a required check failed.
"""

import collections
import importlib.resources
import io
import json
import re
import sys
from pathlib import Path

import requests
import requests_cache
import urllib3
from rocrate_validator.models import Severity
from rocrate_validator.services import validate

PROFILE = "provenance-run-crate-0.5"
CONTEXT = "https://w3id.org/ro/crate/1.1/context"


class Shelf(requests.adapters.HTTPAdapter):
    """Answers every request with one document."""

    def __init__(self, text: bytes) -> None:
        super().__init__()
        self.text = text

    def send(self, request, **_):
        answer = urllib3.HTTPResponse(
            body=io.BytesIO(self.text),
            headers={"Content-Type": "application/ld+json"},
            status=200,
            preload_content=False,
            request_method="GET",
            request_url=request.url,
        )
        return self.build_response(request, answer)


def fill_cache(path: Path) -> None:
    """Put the context of RO-Crate 1.1 where the validator looks for what it once fetched."""
    text = importlib.resources.files("rocrate").joinpath("data/ro-crate.jsonld").read_bytes()
    if json.loads(text)["@id"] != CONTEXT:
        raise SystemExit("rocrate brings another context; install rocrate==0.13.0")
    cache = requests_cache.SQLiteCache(str(path))
    session = requests.Session()
    session.mount("https://", Shelf(text))
    cache.save_response(session.get(CONTEXT))


def main(crate: str, folder: str) -> int:
    cache = Path(folder) / "http_cache"
    fill_cache(cache)
    result = validate(
        {
            "rocrate_uri": crate,
            "profile_identifier": PROFILE,
            "requirement_severity": Severity.RECOMMENDED,
            "offline": True,
            "cache_path": str(cache),
            "cache_max_age": -1,
        }
    )
    failed = {"required": collections.Counter(), "recommended": collections.Counter()}
    for issue in result.get_issues(Severity.RECOMMENDED):
        severity = "required" if issue.severity >= Severity.REQUIRED else "recommended"
        kind = re.sub(r'"[^"]*"', '"..."', str(issue.message))
        failed[severity][issue.check.identifier, kind] += 1
    print(
        json.dumps(
            {
                severity: [
                    {"check": check, "message": message, "entities": number}
                    for (check, message), number in sorted(counts.items())
                ]
                for severity, counts in failed.items()
            },
            indent=1,
        )
    )
    return 1 if failed["required"] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
