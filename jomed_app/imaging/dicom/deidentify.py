"""Metadata by allow-list: what is not listed here, or not a plain known term, does not exist.

The rest of the app never sees a data set; no name, id, date, institution or free text passes.
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.uid import UID


def _terms(words: str) -> frozenset[str]:
    """Return the words as a vocabulary."""
    return frozenset(words.split())


MODALITIES = _terms(
    "AR ASMT AU BDUS BI BMD CR CT CTPROTOCOL DG DOC DX ECG EPS ES FID GM HC HD IO IOL IVOCT IVUS "
    "KER KO LEN LS MG MR M3D NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX "
    "REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM "
    "SMR SR SRF STAIN TEXTUREMAP TG US VA XA XAPROTOCOL XC"
)  # PS3.3 C.7.3.1.1.1
BODY_PARTS = _terms(
    "ABDOMEN ABDOMENPELVIS ADRENAL ANKLE AORTA ARM AXILLA BACK BLADDER BRAIN BREAST BRONCHUS "
    "BUTTOCK CALCANEUS CALF CAROTID CEREBELLUM CERVIX CHEEK CHEST CHESTABDOMEN CHESTABDPELVIS "
    "CLAVICLE COCCYX COLON CORNEA CSPINE CTSPINE DUODENUM EAR ELBOW ESOPHAGUS EXTREMITY EYE "
    "EYELID FACE FEMUR FINGER FOOT FOREARM GALLBLADDER HAND HEAD HEADNECK HEART HIP HUMERUS ILEUM "
    "ILIUM JAW JEJUNUM KIDNEY KNEE LARYNX LEG LIVER LSPINE LSSPINE LUMBOSACRAL LUNG MAXILLA "
    "MEDIASTINUM MOUTH NECK NECKCHEST NOSE ORBIT OVARY PANCREAS PAROTID PATELLA PELVIS PENIS "
    "PHARYNX PROSTATE RADIUS RECTUM RETINA RIB SACRUM SCALP SCAPULA SCLERA SCROTUM SHOULDER SINUS "
    "SKIN SKULL SPINE SPLEEN SSPINE STERNUM STOMACH TESTIS THIGH THORAX THUMB THYMUS THYROID "
    "TIBIA TLSPINE TOE TONGUE TRACHEA TSPINE UTERUS VAGINA VULVA WHOLEBODY WRIST ZYGOMA"
)  # PS3.16 annex L, without spaces
VIEW_POSITIONS = _terms(
    "AP PA LL RL LLD RLD LLO RLO LAO RAO LPO RPO LAT LATERAL CC MLO ML LM LMO XCCL XCCM FB SIO ISO "
    "CV AT TAN RCC LCC RMLO LMLO AXIAL OBLIQUE DECUBITUS"
)
LATERALITIES = _terms("L R B U")
PHOTOMETRIC = frozenset(
    (
        "MONOCHROME1",
        "MONOCHROME2",
        "PALETTE COLOR",
        "RGB",
        "YBR_FULL",
        "YBR_FULL_422",
        "YBR_ICT",
        "YBR_RCT",
        "YBR_PARTIAL_420",
        "YBR_PARTIAL_422",
        "ARGB",
        "CMYK",
        "HSV",
        "XYB",
    )
)
WINDOW_NAMES = _terms(
    "ABDOMEN BONE BRAIN CHEST HARDER LIVER LUNG MEDIASTINUM NORMAL OPT1 OPT2 SKULL SOFT SOFTER "
    "SPINE STANDARD STROKE SUBDURAL USER VESSEL WINDOW WINDOW1 WINDOW2 WINDOW3 WINDOW4"
)


def read_term(dataset: Dataset, keyword: str, terms: frozenset[str]) -> str | None:
    """Return the first value of an element if it is one of the terms, else None."""
    value = _text(dataset, keyword).upper()
    squeezed = value.replace(" ", "") if terms is BODY_PARTS else value
    return squeezed if squeezed in terms else None


def read_numbers(dataset: Dataset, keyword: str) -> list[float]:
    """Return an element's values as finite floats; a damaged or absent element gives none."""
    try:
        value = dataset.get(keyword)
        items = [] if value is None or value == "" else value
        if isinstance(items, str | int | float) or not hasattr(items, "__iter__"):
            items = [items]
        numbers = [float(item) for item in items]
    except Exception:  # a damaged value may raise anything; its text must not travel
        return []
    return numbers if all(-1e300 < number < 1e300 for number in numbers) else []


def allowed_metadata(dataset: Dataset, transfer_syntax: str) -> dict[str, str]:
    """Return the facts that may be shown: known terms and numbers, no free text.

    The model name of the device (0008,1090) is free text and left out: it often holds a serial
    number, and may hold anything else.

    Args:
        dataset: the whole data set; it is not kept.
        transfer_syntax: UID of the transfer syntax.

    Returns:
        DICOM keyword -> short printable text; absent or unusual values are left out.
    """
    found: dict[str, str] = {}
    vocabularies = {
        "Modality": MODALITIES,
        "BodyPartExamined": BODY_PARTS,
        "ViewPosition": VIEW_POSITIONS,
        "PhotometricInterpretation": PHOTOMETRIC,
    }
    for keyword, terms in vocabularies.items():
        if (term := read_term(dataset, keyword, terms)) is not None:
            found[keyword] = term
    side = read_term(dataset, "ImageLaterality", LATERALITIES) or read_term(
        dataset, "Laterality", LATERALITIES
    )
    if side is not None:
        found["Laterality"] = side
    for keyword in ("Rows", "Columns", "BitsStored", "PixelSpacing", "ImagerPixelSpacing"):
        if numbers := read_numbers(dataset, keyword)[:2]:
            found[keyword] = " x ".join(f"{number:g}" for number in numbers)
    if (name := known_uid_name(transfer_syntax)) is not None:
        found["TransferSyntax"] = name
    return found


def known_uid_name(uid: str) -> str | None:
    """Return the registered name of a standard UID, or None; private UIDs have no name."""
    name = UID(uid).name
    return name if name and name != uid and len(name) <= 96 else None


def window_name(explanation: str, number: int) -> str:
    """Return a window's own name if it is a known term, else its number (from 1)."""
    term = " ".join(explanation.upper().replace("_", " ").split())
    known = bool(term) and all(word in WINDOW_NAMES or word == "TISSUE" for word in term.split())
    return term.capitalize() if known and len(term) <= 24 else f"File window {number}"


def _text(dataset: Dataset, keyword: str) -> str:
    """Return the first value of an element as stripped text, empty when absent or damaged."""
    try:
        value = dataset.get(keyword)
        if value is not None and not isinstance(value, str) and hasattr(value, "__iter__"):
            value = next(iter(value), None)
        return str(value).strip() if value is not None else ""
    except Exception:  # a damaged value may raise anything; its text must not travel
        return ""
