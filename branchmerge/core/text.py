"""Texts as they are stored, and as they are compared."""

import unicodedata

# Letters that look like a Latin one, by the small letter, since both sides of a comparison are folded; where a capital
# looks like another letter than its small one, it stands apart. Source: Unicode's confusables.txt (UTS 39).
_CAPITALS = str.maketrans("ΗΝΥ", "HNY")
_SMALL = str.maketrans(
    "авсеһіјӏкмнорԛѕтуԝхԁѵүҽ" + "αβγεζικμνορτυχηϲϳ" + "ıɑɡɩʏʀɴʟʜɢʙᴀᴄᴅᴇᴊᴋᴍᴏᴘꜱᴛᴜᴠᴡᴢ" + "օսոհցյզ",
    "abcehijlkmhopqstywxdvye" + "abyezikmvoptuxncj" + "iagiyrnlhgbacdejkmopstuvwz" + "ounhgjq",
)
_FILLERS = "\u115f\u1160\u3164\uffa0\u2800"  # letters and signs that show nothing


class _Folds(dict[int, str]):
    """Sign -> what is left of it, found when it is first met."""

    def __missing__(self, code: int) -> str:
        parts = unicodedata.normalize("NFKD", chr(code))
        seen = "".join(
            part for part in parts if unicodedata.category(part) not in ("Cf", "Mn") and part not in _FILLERS
        )
        fold = seen.translate(_CAPITALS).casefold().translate(_SMALL)
        self[code] = unicodedata.normalize("NFC", fold)
        return self[code]


_FOLDS = _Folds()


def clean(text: str) -> str:
    """A text that every file, database and program can carry.

    A lone surrogate, as of an emoji cut in two, becomes a question mark; a NUL, which ends texts elsewhere, goes.
    """
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def folded(text: str) -> str:
    """A text for comparing: neither case, accents, signs without width nor letters that look alike count.

    Never for storing: it is no text that anybody wrote.
    """
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text).translate(_FOLDS)
