"""Make build/site ready to publish: its diagrams load Mermaid from the site itself.

make site

The theme loads Mermaid from unpkg.com. This script fetches the pinned version with npm, puts it
into the site, and changes the address in the theme's script. GitHub draws the diagrams of the same
pages by itself.
"""

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

SITE = Path(__file__).resolve().parents[1] / "build" / "site"
PACKAGE = "mermaid@12.3.0"
INTEGRITY = (
    "sha512-4113TdXeLAsMruJ79OpFL5O8+LTFXhQqZ260rF3tgUmiNAtR"
    "m4Uume04I+65PRN6yZ69J4f8rVYWW8zRk65UYw=="
)
SCRIPT = "package/dist/mermaid.min.js"

CDN = '"https://unpkg.com/mermaid@12/dist/mermaid.min.js"'
# Beside the theme's own script, at whatever path the site is served.
LOCAL = 'document.querySelector("script[src*=bundle]").src.replace(/[^/]*$/,"mermaid.min.js")'


class SiteError(Exception):
    """The site cannot be published as it is."""


def with_local_mermaid(bundle: str) -> str:
    """The theme's script, loading Mermaid from its own folder. Raises SiteError."""
    if bundle.count(CDN) != 1:
        raise SiteError(f"the theme's script has {CDN} {bundle.count(CDN)} times: correct CDN here")
    return bundle.replace(CDN, LOCAL)


def fetch(folder: Path) -> bytes:
    """Mermaid's script from the npm registry. Raises SiteError if the package is another one."""
    npm = shutil.which("npm")
    if not npm:
        raise SiteError("npm is not installed: https://nodejs.org/en/download")
    subprocess.run([npm, "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=sys.stderr)
    [archive] = folder.glob("*.tgz")
    digest = hashlib.sha512(archive.read_bytes()).digest()
    found = f"sha512-{base64.b64encode(digest).decode()}"
    if found != INTEGRITY:
        raise SiteError(f"{PACKAGE} has the integrity {found}, expected {INTEGRITY}")
    with tarfile.open(archive) as tar:
        member = tar.extractfile(SCRIPT)
        if member is None:
            raise SiteError(f"{PACKAGE} has no {SCRIPT}")
        return member.read()


def main() -> None:
    [bundle] = SITE.glob("assets/javascripts/bundle.*.js")
    text = with_local_mermaid(bundle.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        bundle.with_name("mermaid.min.js").write_bytes(fetch(Path(folder)))
    bundle.write_text(text, encoding="utf-8")
    print(f"{SITE} is ready to publish, with {PACKAGE}.")


if __name__ == "__main__":
    try:
        main()
    except SiteError as error:
        sys.exit(f"error: {error}")
