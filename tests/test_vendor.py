"""What is vendored is what was published."""

import base64
import hashlib
import re
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"


def test_every_vendored_file_has_its_version_and_digest() -> None:
    listed = re.findall(r"^\| (\S+) \|.*\| (\S+) \|$", (VENDOR / "README.md").read_text(), re.M)
    digests = {name: digest for name, digest in listed if (VENDOR / name).is_file()}
    files = {path.name for path in VENDOR.iterdir() if path.name != "README.md"}
    assert set(digests) == files
    for name, digest in digests.items():
        assert base64.b64encode(hashlib.sha384((VENDOR / name).read_bytes()).digest()).decode() == digest
