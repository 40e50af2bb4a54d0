"""Pack one archive that installs on a box without a network; see docs/guide/airgap.md.

Everything in it follows from the checkout and `uv.lock`: the same commit gives the same bytes.
"""

import argparse
import hashlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from licences import Licences, parsed
from locked import GATEWAY, LAB, LOCK, PROJECT, ROOT, Lock, Package, Target
from sbom import Part, bill

BUILD = ROOT / "build"
FOLDERS = ("docs", "config")
PAGES = ("README.md", "SECURITY.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE")
TEXTS = ("licen", "copying", "notice", "authors", "edl", "epl")
"""How files of a wheel's metadata begin that hold terms."""
OLDEST = 315532800
"""1980-01-01, the first day that a zip archive can name."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that goes into the bundle."""

    package: Package
    path: Path

    @property
    def digest(self) -> str:
        """Its SHA-256."""
        return sha256(self.path.read_bytes())

    def metadata(self) -> str:
        """Return its METADATA."""
        with zipfile.ZipFile(self.path) as held:
            (name,) = [n for n in held.namelist() if n.endswith(".dist-info/METADATA")]
            return held.read(name).decode()

    def terms(self) -> Iterator[tuple[str, bytes]]:
        """Yield its licence texts by name."""
        with zipfile.ZipFile(self.path) as held:
            for name in held.namelist():
                words = name.split("/")
                if ".dist-info" in words[0] and words[-1].lower().startswith(TEXTS):
                    yield "-".join(words[1:]), held.read(name)

    def libraries(self) -> list[str]:
        """Return the shared libraries that were copied into it."""
        with zipfile.ZipFile(self.path) as held:
            return [n.split("/")[-1] for n in held.namelist() if ".libs/" in n and ".so" in n]


def main(words: Sequence[str] | None = None) -> int:
    """Pack a bundle, and print where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--platform", default=platform.machine(), choices=["x86_64", "aarch64"])
    parser.add_argument("--python", default="", help="versions, as in '3.11 3.13'")
    parser.add_argument("--out", type=Path, default=BUILD / "bundle", help="folder")
    parser.add_argument("--cache", type=Path, default=BUILD / "wheels", help="folder of wheels")
    options = parser.parse_args(words)
    try:
        print(packed(targets(options.python, options.platform), options.out, options.cache))
    except LookupError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 1
    return 0


def targets(pythons: str, machine: str) -> list[Target]:
    """Return the interpreters that are asked for, this one by default."""
    versions = pythons.split() or [platform.python_version()]
    return [Target((int(v.split(".")[0]), int(v.split(".")[1])), machine) for v in versions]


def packed(wanted: Sequence[Target], out: Path, cache: Path) -> Path:
    """Write the archive into ``out``; return its path.

    Raises:
        LookupError: a package has no wheel for a target, another one came, or its terms are not
            among those that may ship.
    """
    lock, epoch = Lock(), source_epoch()
    own = built(out, epoch)
    wheels = {
        wheel.path.name: wheel
        for target in wanted
        for wheel in fetched((*lock.packages(LAB, target), lock.one("pip")), target, cache)
    }
    held = {f"wheels/{name}": wheel.path.read_bytes() for name, wheel in wheels.items()}
    held[f"wheels/{own.path.name}"] = own.path.read_bytes()
    held |= dict(lists(lock, wanted, own))
    held |= dict(papers(lock, wanted, own, wheels, epoch))
    held |= dict(pages())
    held["install.sh"] = installer(own.package.version, wanted)
    sums = "".join(f"{sha256(content)}  {name}\n" for name, content in sorted(held.items()))
    held["SHA256SUMS"] = sums.encode()
    shorts = "-".join(target.short for target in wanted)
    name = f"{PROJECT}-{own.package.version}-{shorts}-{wanted[0].machine}"
    return archived(out / f"{name}.tar", name, held, epoch)


def source_epoch() -> int:
    """Return the time that everything is given: SOURCE_DATE_EPOCH, or the last commit's."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    git = shutil.which("git")
    if told is None and git and (ROOT / ".git").exists():
        command = [git, "-C", str(ROOT), "log", "-1", "--format=%ct"]
        told = subprocess.run(  # noqa: S603  our own words
            command, check=True, capture_output=True, text=True
        ).stdout
    return max(OLDEST, int(told or OLDEST))


def built(out: Path, epoch: int) -> Wheel:
    """Build the project's own wheel."""
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    command += ["--directory", str(out.resolve())]
    env = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    done = subprocess.run(  # noqa: S603  our own words
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LookupError(f"the wheel cannot be built: {done.stderr.strip()}")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    path = out / f"{PROJECT}-{version}-py3-none-any.whl"
    return Wheel(Package(PROJECT, version, {path.name: sha256(path.read_bytes())}, ()), path)


def fetched(packages: Iterable[Package], target: Target, cache: Path) -> Iterator[Wheel]:
    """Yield the wheels of a target, from the cache or the index; their hashes are the lock's.

    Raises:
        LookupError: the index has not what the lock names, or the cache holds something else.
    """
    chosen = {package.wheel(target): package for package in packages}
    missing = {name: each for name, each in chosen.items() if not (cache / name).exists()}
    if missing:
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache) as apart:
            download([listing(each, name) for name, each in missing.items()], target, Path(apart))
            for name in missing:
                Path(apart, name).replace(cache / name)
    for name, package in chosen.items():
        if sha256((cache / name).read_bytes()) != package.wheels[name]:
            raise LookupError(f"{cache / name} is not what {LOCK.name} names: remove it")
        yield Wheel(package, cache / name)


def listing(package: Package, wheel: str) -> str:
    """Return the line that asks pip for one wheel and no other."""
    return f"{package.name}=={package.version} --hash=sha256:{package.wheels[wheel]}\n"


def download(lines: Sequence[str], target: Target, into: Path) -> None:
    """Let pip fetch wheels, whose hashes it checks.

    Raises:
        LookupError: it does not.
    """
    listed = into / "requirements.txt"
    listed.write_text("".join(lines), encoding="utf-8")
    platforms = [word for each in target.platforms() for word in ("--platform", each)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary", ":all:", "--require-hashes"]
    command += ["--implementation", "cp", "--python-version", target.short[2:], *platforms]
    command += ["--dest", str(into), "--requirement", str(listed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  ours
    if done.returncode:
        raise LookupError(f"pip does not fetch what {LOCK.name} names: {done.stderr.strip()}")


def lists(lock: Lock, wanted: Iterable[Target], own: Wheel) -> Iterator[tuple[str, bytes]]:
    """Yield the lists that pip installs from, with the one hash of each wheel."""
    for target in wanted:
        for kind, extras in (("gateway", GATEWAY), ("lab", LAB)):
            packages = lock.packages(extras, target)
            lines = [listing(each, each.wheel(target)) for each in packages]
            lines.append(listing(own.package, own.path.name))
            yield f"requirements/{kind}-{target.short}.txt", "".join(lines).encode()


def papers(
    lock: Lock, wanted: Sequence[Target], own: Wheel, wheels: Mapping[str, Wheel], epoch: int
) -> Iterator[tuple[str, bytes]]:
    """Yield the bill of materials, the list of licences and their texts."""
    known = Licences()
    by_name: dict[str, list[Wheel]] = {}
    for _, wheel in sorted(wheels.items()):
        by_name.setdefault(wheel.package.name, []).append(wheel)
    parts = []
    for name, several in sorted(by_name.items()):
        licence = known.of(name, parsed(several[0].metadata()))
        unnamed = known.unnamed(name, several[0].libraries())
        if unnamed or not known.permits(licence):
            raise LookupError(f"{name}: {licence} {unnamed} may not ship unnamed: licences.toml")
        for version in dict.fromkeys(wheel.package.version for wheel in several):
            these = [wheel for wheel in several if wheel.package.version == version]
            digests = {wheel.path.name: wheel.digest for wheel in these}
            inside = [each for each in known.inside if each.package == name]
            parts.append(Part(name, version, licence, digests, these[0].package.needs, inside))
        for text, content in sorted({k: v for w in several for k, v in w.terms()}.items()):
            yield f"licences/{name}/{text}", content
    needs = sorted({each.name for target in wanted for each in lock.packages(LAB, target)})
    project = Part(PROJECT, own.package.version, "Apache-2.0", own.package.wheels, needs)
    yield "sbom.cdx.json", bill(project, parts, epoch).encode()


def pages() -> Iterator[tuple[str, bytes]]:
    """Yield documentation, units and example sites."""
    found = [ROOT / name for name in PAGES]
    found += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in found:
        if "__pycache__" not in path.parts:
            yield path.relative_to(ROOT).as_posix(), path.read_bytes()


def installer(version: str, wanted: Sequence[Target]) -> bytes:
    """Return the script that installs, with what this bundle is for."""
    text = (ROOT / "tools" / "install.sh").read_text(encoding="utf-8")
    pythons = " ".join(target.short for target in wanted)
    for name, value in (
        ("VERSION", version), ("MACHINE", wanted[0].machine), ("PYTHONS", pythons)
    ):  # fmt: skip
        text = text.replace(f"@{name}@", value)
    return text.encode()


def archived(path: Path, top: str, held: Mapping[str, bytes], epoch: int) -> Path:
    """Write files below one folder; names sorted, times and owners the same for everybody."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in sorted(held.items()):
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mtime = len(content), epoch
            entry.mode = 0o755 if name.endswith(".sh") else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return path


def sha256(content: bytes) -> str:
    """Return the digest as sha256sum(1) prints it."""
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
