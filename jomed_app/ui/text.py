"""The sentences of the screen, error sentences among them; headings stand in the templates."""

from __future__ import annotations

from collections.abc import Sequence

from jomed_app.errors import CancelledError, JomedError
from jomed_app.types import CandidateResult, Head, Retrieval, Standing

NAME = "JOMED"
TITLE = "JOMED - diagnosis beside similar cases (research demo)"
DISCLAIMER = "Research demo - not a medical device."
DISCLAIMER_MORE = "Do not use for diagnosis. Do not upload patient-identifying images."
ACCEPTED = (
    ".dcm,.dicom,.dic,.png,.jpg,.jpeg,.tif,.tiff,application/dicom,image/png,image/jpeg,image/tiff"
)
PAGES = {
    "./": "Read",
    "evidence": "Evidence",
    "collection": "Collection",
    "about": "About",
}  # address -> name
PAPERS = {  # title -> where it lies; plain links, nothing is fetched
    "JOMED: similar cases, read jointly (later named CLARE)": "https://arxiv.org/abs/2508.17394",
    "LoGra-Med: alignment by graphs (later ExGra-Med)": "https://arxiv.org/abs/2410.02615",
    "UMed-LVLM: rewards for place and relevance": "https://arxiv.org/abs/2501.01377",
    "BUSI, the real images behind the figures": "https://doi.org/10.1016/j.dib.2019.104863",
    "Gradio, which the reading page is made with": "https://github.com/gradio-app/gradio",
}
LEAVES = "Images leave this machine: each one is sent to {machine} to be read."
SIMULATED = "simulated"
STARTING_TITLE = "The models are being loaded"
STARTING_BAR = "Share of this step that is done"
STARTING_NOTE = "Images can be opened once that is done; this page then opens by itself."
STARTING_NO_SCRIPT = "Without scripts, load this page again in a minute."
NOT_LOADED = (
    "A case needs the models, which are still being loaded ({words}); try again in a minute."
)

EMPTY_TITLE = "No case open"
EMPTY_TEXT = (
    "Open an image (DICOM, PNG, JPEG or TIFF), drop one anywhere on this page, "
    "or choose a simulated example."
)
THIS_PATIENT = "This patient"
OTHER_PATIENT = "Other patient #{rank}"
COUNTER_TITLE = "Other patient, counter-case"
PANEL_EMPTY = (
    "The diagnosis, what speaks for and against it, and how it arose will appear here. "
    "Your image is read alone and beside each similar case; a bar shows how much of the answer "
    "either is."
)

STATUS_IDLE = "Ready."
STATUS_OPENING = "An example, read by the model that runs here."
STATUS_DECODED = "Image decoded; its file was not written to disk. Waiting for the model."
STATUS_REGION = "Another part of the picture is read. Waiting for the model."
STATUS_WAITING = "Waiting for the model."
STATUS_CHECKED = "Input checked. Searching for similar cases."
STATUS_GOES_ON = "Going on for research. Waiting for the model."
STATUS_INVERTED = "Black and white exchanged. Waiting for the model."
STATUS_FINAL = "Diagnosis ready. Locating the finding."
STATUS_CANCELLED = "Stopped. Nothing of this run was kept; the image is still open."
STATUS_PURGED = (
    "Case purged: its pixels are overwritten in memory; the file's bytes, the pictures and the "
    "result are no longer held."
)
STATUS_NOTHING = "Nothing to purge: no case was open."
STATUS_RESTORED = "Nothing is moved any more; the diagnosis is that of the full run again."

# What a check is called on the page, where its name in a result is no clinician's word.
CHECK_NAMES = {"domain": "kind of image", "annotation": "burned-in text", "aspect": "proportions"}
CHECKS_IN_WORDS = ("domain",)  # its figure alone says nothing; the message does

OTHERS_TITLE = "Other patients"
OTHERS_SIMULATED = (
    "This collection is simulated: a program drew its {count} cases; none is a patient, and they "
    "are no evidence about yours."
)
OTHERS_REAL = "Searched: {name}, {count} known cases."
NO_SIMILAR = (
    "No similar case in this collection: of its own cases, 19 of 20 have a nearer neighbour in it "
    "than your image has. Those below are only the nearest there are."
)
KNOWN_MEANS = "diagnosis of that case."
READ_MEANS = "your image, read beside that case."

FOLDED_ONE = "1 more similar case: the reading beside it is less than {least} of the answer."
FOLDED_MORE = (
    "{count} more similar cases: the reading beside each is less than {least} of the answer."
)

NOT_NORMAL = "This does not mean normal."  # an empty overlay would be read as normal
NO_BOX_RETURNED = f"No box was returned. {NOT_NORMAL}"
NONE_ABOVE = f"No abnormality above this threshold: no box was returned. {NOT_NORMAL}"
NONE_LOOKED_FOR = f"The image was not read: no box was looked for. {NOT_NORMAL}"
NO_BOXES_IN_TASK = f"This task has no boxes: nothing is outlined. {NOT_NORMAL}"
VIEWER_WORDS = {
    "below": "No abnormality above this threshold ({threshold}); {count} below it. " + NOT_NORMAL,
    "hidden": "Boxes hidden: {count} at or above the threshold.",
    "unmarked": "no region marked",
    "window": "Display only: windowing never changes the prediction.",
    "frame": "Frame {shown} is shown. Answer, boxes and layers rest on frame {read}.",
    "frame_gone": "This frame cannot be shown.",
    "less_motion": "Your system asks for less motion: use the slider.",
    "spacing": "Length in mm, by the pixel spacing in the file.",
    "no_spacing": "Length in px: the file gives no pixel spacing.",
    "no_spacing_there": "Length in px of its file: the collection holds no pixel spacing.",
}
HEAT_LEGEND = (
    "Heat map: where the model looked; not a finding. "
    "The brightest spot is this image's own maximum, however small that is."
)
HEAT_WAITING = "No heat map yet: it follows when the run has finished."
HEAT_NONE = "No heat map: this result holds none."
HEAT_REFUSED = "No heat map: the image was not read."
USUAL_WAITING = "No usual place yet: it follows when similar cases are found."
USUAL_NOTE = (
    "Dashed: boxes known in those cases (rank, weight), scaled to this image; not a finding in it. "
    "Sides are those of the image as shown."
)
# What a box threshold means on validation cases.
THRESHOLD_UNKNOWN = "What this threshold means was not measured for this kind of index."
THRESHOLD_NOT_MEASURED_BELOW = "Below {threshold:.2f} nothing was measured."
THRESHOLD_EXACT = "At this threshold"
THRESHOLD_NEAREST = "At {threshold:.2f}, the nearest lower threshold that was measured,"
HARDLY_ANY_BOX = "hardly any box is drawn"

SEARCH_NAMES: dict[Retrieval, str] = {"standard": "Standard RAG", "joint": "Jointly optimised"}
SEARCH_MEANINGS: dict[Retrieval, str] = {
    "joint": "The search was trained on which cases help the reader to the right answer. "
    "No promise for this image: compare both.",
    "standard": "The cases nearest by image or by passage; the search was not trained on what "
    "helps the reader.",
}
BY_OTHER_SEARCH: dict[Retrieval, str] = {
    "joint": "by similarity alone",
    "standard": "when jointly optimised",
}
SAME_CASES = "Both searches find the same cases in the same order."
SAME_SET = "Both searches find the same cases, in another order."
STATUS_SWITCHED = "Showing the result of the other search, as it was read before."
STATUS_LISTED = "From the list, as it was left."
STATUS_SEARCHING = "Reading the cases of the other search."
SEARCH_NOT_READY = "The search can be switched once the run has finished."
ONE_SEARCH = "This bundle has one search only: it was not trained to search otherwise."

NO_CASE = "This case is no longer held here (it was purged or its time ran out). Open it again."
ROW_GONE = "This image is no longer held here (the list keeps the last ones). Open it again."
LIST_GONE = "A table is made of images that were read, and none is held. Open one first."
LISTED_NO_ANSWER = "no result"
LISTED_HIDDEN = "own read first"
LISTED_LEFT = "image no longer held"
STANDINGS_IN_A_LIST = {
    "disagree": "readings disagree",
    "contradicted": "known diagnoses against it",
    "overruled": "no reading gives it",
}
LIST_NOTE = (
    "Held in memory: the last {images} images; older ones keep their row of the table. File names "
    "stay in this browser. Purge empties the list."
)
SAVE_NOTE = (
    "Nothing that the image file says of the patient is in these files. Text that was found in the "
    "picture is painted over; look before you pass one on."
)
NOT_SAVED = "A case can be saved once its answer is there. Open it again if it is gone."
NOT_FINISHED = "Cases can be removed once the run has finished."
LAST_CANDIDATE = (
    "At least one case must remain: a diagnosis needs a case to rest on. Restore another first."
)
UPLOAD_GONE = "The upload did not arrive as one file, or was taken already. Send it again."
UPLOAD_FAILED = (
    "The upload did not arrive. Files up to {limit} are accepted; check it and try again."
)
NO_SECRET = (  # nosec B105  # a sentence
    "This page needs a cookie of its own to keep your case apart from those of others, and found "
    "none. Allow cookies for it and load it again."
)
EXAMPLE_LINK = "example"  # in the address: a name of the example list, never anything of a case
UNKNOWN_EXAMPLE = "This example is not part of the installation. Choose another."


STANDING_TITLES = {
    Standing.CONSISTENT: "The readings agree",
    Standing.MIXED: "The readings agree, with varying confidence",
    Standing.DISAGREE: "The readings disagree",
    Standing.CONTRADICTED: "The known diagnoses speak against the answer",
    Standing.OVERRULED: "No reading gives the final answer",
    Standing.ABSTAIN: "No result",
}
STANDING_MARKS = {
    Standing.CONSISTENT: "=",
    Standing.MIXED: "≈",
    Standing.DISAGREE: "≠",
    Standing.CONTRADICTED: "≠",
    Standing.OVERRULED: "≠",
    Standing.ABSTAIN: "∅",
}
KNOWN_TITLE = "Known diagnoses of the nearest"
READ_TITLE = "Your image, read beside each"

NO_REASON = "not stated"
ABSTAIN_ADVICE = (
    "What to do: check that the image is of the kind this bundle was made for and shows one view "
    "without overlays; then try another frame or image."
)
GO_ON = "Go on anyway, for research"
READ_INVERTED = "Read inverted"
GO_ON_ADVICE = "No figure of this app was measured on such images."
OVERRULED = "For research only: read although a check did not pass."
ABSTAIN_CASES = "The similar cases, and what was read beside each, stay visible for orientation."
UNDECIDED = "Too close to name one:"

WEIGHTED_SUM = "weighted sum"
CALIBRATED = "after calibration"
NEAREST_LABELS = "labels of nearest cases"
# How much of an answer each part is, whatever it says.
SHARE_IMAGE = "your image alone"
SHARE_VOTE = "known diagnoses of the nearest"
SHARE_READ = "read beside similar cases"
# Two voices that see no similar case: the reader, and the classifier that is a part of the sum.
SITE_NOTE = "Thresholds were set on these very cases; expect somewhat less elsewhere."
NO_POINT_MOVED = "you moved weights, and no figure was measured of such an answer"
NO_POINT_FOREIGN = "a check did not pass, and no figure was measured on such images"
# What a reader moves is a question, never the app's answer.
MOVED_MARK = "Moved by you"
MOVED_NOTE = "Moved by you: no figure of this app was measured on such an answer."
INFLUENCE_NOTE = (
    "What if a part counted more or less? It shows on what the answer rests; nothing was measured "
    "of a moved answer."
)
IMAGE_ALONE = "Image alone"
IMAGE_ALONE_NOTE = "what the image classifier says by itself, not calibrated"
WITH_CASES = "With similar cases"
READER_ALONE = "The reader, without any similar case"
IMAGE_HEAD = "image classifier, no similar case"
SHARED_WITH_INDEX = "beside labels of the index alone"
INDEX_ONLY = (
    "Known from the similar cases alone, never trained on: {names}. Only the labels of the nearest "
    "cases speak for it."
)
STANDS_APART = (
    "Over all these cases together, not over those in which so much speaks against the answer."
)
NOT_MEASURED = "Not calibrated: no bundle figures exist for this kind of index."


def error_sentence(error: BaseException) -> str | None:
    """Return the one sentence shown for an error that a user can mend, or None for any other."""
    if isinstance(error, CancelledError):
        return STATUS_CANCELLED
    if isinstance(error, JomedError):
        sentence = " ".join(str(error).split())
        return sentence[:1].upper() + sentence[1:] + ("" if sentence.endswith(".") else ".")
    return None


def incident_sentence(incident: str) -> str:
    """Return what is shown for a fault of ours; the log holds the rest under the same id."""
    return (
        "Something went wrong on our side; your session goes on. "
        f"If it happens again, report incident {incident}."
    )


def waiting_status(place: int, seconds: float | None) -> str:
    """Return the status line of a case that waits.

    Args:
        place: 1 is next.
        seconds: until its turn; None where nothing is known yet.
    """
    about = "" if seconds is None else f", about {max(1, round(seconds))} s"
    return f"Waiting for the model: {ordinal(place)} in line{about}."


def reading_status(num_read: int, num_candidates: int) -> str:
    """Return the status line while candidates are read."""
    return f"Reading your image beside each similar case: {num_read} of {num_candidates} done."


def done_status(milliseconds: float, num_candidates: int) -> str:
    """Return the status line of a finished run; no candidate means that the image was refused."""
    if not num_candidates:
        return f"Done in {milliseconds / 1000:.1f} s: the image was refused, no case was read."
    return f"Done: {num_candidates} similar cases read in {milliseconds / 1000:.1f} s."


def moved_status(num_removed: int, num_candidates: int) -> str:
    """Return the status line after a removal, or after a weight was moved."""
    left = num_candidates - num_removed
    return f"Recomputed from {left} of {num_candidates} similar cases; the model did not run again."


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th, 11th, 21st ..."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"


def share_words(share: float) -> str:
    """Return a share of the answer, in [0, 1], in percent; a small one with a decimal, never 0."""
    percent = 100 * share
    if 0 < percent < 0.1:
        return "under 0.1 %"
    return f"{percent:.0f} %" if percent >= 9.95 else f"{percent:.1f} %"


def found_words(heads: Sequence[Head]) -> str:
    """Return which searches found a case: by image, by text, or both."""
    return f"found by {' and by '.join(heads)}"


def less_alike(candidate: CandidateResult) -> str:
    """Return the share of random pairs that are less alike than a case and the image, in percent.

    Image to image; in a result that does not hold it, by the search that found the case. Never
    100 %.
    """
    percentile = candidate.image_percentile
    if percentile is None:
        percentile = candidate.similarity_percentile
    return f"{min(percentile, 99.9):.1f} %"


def similarity_words(candidate: CandidateResult) -> str:
    """Return which search found a case, and how alike it is."""
    scale = "in that search" if candidate.image_percentile is None else "image to image"
    return (
        f"{found_words(candidate.heads)}; closer than {less_alike(candidate)} of random pairs, "
        f"{scale}"
    )


def measured_words(measured_on: str) -> str:
    """Return where the calibration comes from, so that it is not taken for more."""
    return f"Measured on {measured_on}; expect less elsewhere." if measured_on else NOT_MEASURED


def count_words(probability: float) -> str:
    """Return a probability in [0, 1] as a count of ten cases."""
    tenths = round(probability * 10)
    if tenths >= 10:
        return "nearly all such cases"
    if tenths <= 0:
        return "fewer than 1 of 10 such cases"
    return f"about {tenths} of 10 such cases"


PYTHON_CALL = """\
from gradio_client import Client, handle_file

client = Client("{base}")
result = client.predict(handle_file("image.png"), api_name="/diagnose")
print(result["final"])"""

CURL_CALL = """\
FILE=$(curl -s -F "files=@image.png" {base}gradio_api/upload | cut -d'"' -f2)
ID=$(curl -s -H "Content-Type: application/json" \\
  -d '{"data":[{"path":"'"$FILE"'","meta":{"_type":"gradio.FileData"}}]}' \\
  {base}gradio_api/call/diagnose | cut -d'"' -f4)
curl -sN {base}gradio_api/call/diagnose/$ID"""
