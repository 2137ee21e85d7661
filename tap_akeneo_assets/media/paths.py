"""Where a media file lies in the storage, by its code alone. Pure.

Most codes are their own path. A code that some file system could refuse, or take for another one, gets a name of its
own: what is readable of it, and a hash of all of it.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

# File systems take 255 bytes per name, and Windows 260 characters per path.
MAX_NAME = 120
MAX_FOLDERS_LENGTH = 64
HASH_DIGITS = 32

# Lower case only, since `A.png` and `a.png` are one file on some systems. A file's name has a dot and a folder's has
# none, so that no file stands where another code needs a folder.
_PLAIN_FOLDER = re.compile(rf"[a-z0-9_][a-z0-9_-]{{0,{MAX_NAME - 1}}}")
_PLAIN_FILE = re.compile(rf"(?=.{{1,{MAX_NAME}}}\Z)[a-z0-9_][a-z0-9_-]*(?:\.[a-z0-9_-]+)+")
_EXTENSION = re.compile(r"\.([A-Za-z0-9]{1,10})\Z")
_UNREADABLE = re.compile(r"[^A-Za-z0-9_-]+")
# Names of devices on Windows, whatever their extension.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z)")


def stored_path(family_code: str, media_file_code: str) -> str:
    """The path of a media file.

    Args:
        family_code: code of the asset's family.
        media_file_code: code of the media file, of any characters.

    Returns:
        A path relative to the storage, with `/` between its parts: the family, and the code. It is the same each time,
        never leads outside, and is a sound name on Linux, macOS, Windows and object stores. Codes that differ have
        paths that differ, even to a system that ignores case.
    """
    *folders, name = media_file_code.split("/")
    plain_folders = len("/".join(folders)) <= MAX_FOLDERS_LENGTH and all(map(_is_plain_folder, folders))
    if not (plain_folders and _is_plain_file(name)):
        name = f"{_marked(_EXTENSION.sub('', name), media_file_code)}{_extension(name)}"
    family = family_code if _is_plain_folder(family_code) else _marked(family_code, family_code)
    return "/".join([family, *(folders if plain_folders else ()), name])


def _is_plain_folder(name: str) -> bool:
    return bool(_PLAIN_FOLDER.fullmatch(name)) and not _RESERVED.match(name)


def _is_plain_file(name: str) -> bool:
    return bool(_PLAIN_FILE.fullmatch(name)) and not _RESERVED.match(name)


def _marked(name: str, code: str) -> str:
    """A name that no other code has: a tilde tells it from plain ones, the hash from other marked ones."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    readable = _UNREADABLE.sub("_", letters)[: MAX_NAME - HASH_DIGITS]
    digest = hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_DIGITS]
    return f"{readable}~{digest}"


def _extension(name: str) -> str:
    found = _EXTENSION.search(name)
    return f".{found[1]}" if found else ""
