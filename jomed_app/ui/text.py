"""The sentences of the screen, error sentences among them; headings stand in the templates."""

from __future__ import annotations

from jomed_app.errors import CancelledError, JomedError
from jomed_app.types import ConsistencyState, Retrieval

NAME = "JOMED"
TITLE = "JOMED - diagnosis beside similar cases (research demo)"
DISCLAIMER = (
    "Research demo - not a medical device. Do not use for diagnosis. "
    "Do not upload patient-identifying images."
)
SIMULATED = "simulated"

EMPTY_TITLE = "No case open"
EMPTY_TEXT = (
    "Open an image (DICOM, PNG, JPEG or TIFF), drop one anywhere on this page, "
    "or choose a simulated example."
)
PANEL_EMPTY = (
    "The candidates' agreement, the diagnosis and how it arose will appear here. "
    "Each similar case is read on its own beside your image; the final answer is their "
    "weighted sum."
)

STATUS_IDLE = "Ready."
STATUS_DECODED = "Image decoded; the uploaded file was deleted. Waiting for the model."
STATUS_WAITING = "Waiting for the model."
STATUS_CHECKED = "Input checked. Searching for similar cases."
STATUS_FINAL = "Diagnosis ready. Locating the finding."
STATUS_CANCELLED = "Stopped. Nothing of this run was kept; the image is still open."
STATUS_PURGED = "Case purged: image, file bytes, result and removals were deleted from memory."
STATUS_NOTHING = "Nothing to purge: no case was open."
STATUS_RESTORED = "All candidates restored; the diagnosis is that of the full run again."

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
STATUS_SEARCHING = "Reading the cases of the other search."
SEARCH_NOT_READY = "The search can be switched once the run has finished."
ONE_SEARCH = "This bundle has one search only: its query heads are untrained."

NO_CASE = "This case is no longer held here (it was purged or its time ran out). Open it again."
NOT_FINISHED = "Candidates can be removed once the run has finished."
LAST_CANDIDATE = (
    "At least one candidate must remain: a diagnosis needs a case to rest on. "
    "Restore another first."
)
UPLOAD_GONE = "The upload did not arrive as one file, or was taken already. Send it again."
UPLOAD_FAILED = (
    "The upload did not arrive. Files up to {limit} are accepted; check it and try again."
)
UNKNOWN_EXAMPLE = "This example is not part of the installation. Choose another."


STATE_TITLES = {
    ConsistencyState.CONSISTENT: "Candidates agree",
    ConsistencyState.MIXED: "Candidates agree, confidence varies",
    ConsistencyState.DISAGREE: "Candidates disagree",
    ConsistencyState.ABSTAIN: "No result",
}

STATE_MARKS = {
    ConsistencyState.CONSISTENT: "=",
    ConsistencyState.MIXED: "≈",
    ConsistencyState.DISAGREE: "≠",
    ConsistencyState.ABSTAIN: "∅",
}
FINAL_DIFFERS = ", the final answer differs"  # behind a state's title

NO_REASON = "not stated"
ABSTAIN_ADVICE = (
    "What to do: check that the image is of the kind this bundle was made for and shows one view "
    "without overlays; then try another frame or image."
)
ABSTAIN_CASES = "The similar cases, and what was read beside each, stay visible for orientation."
UNDECIDED = "Too close to name one:"

WEIGHTED_SUM = "weighted sum"
CALIBRATED = "after calibration"
NEAREST_LABELS = "labels of nearest cases"
# Two voices that see no similar case: the reader, and the classifier that is a part of the sum.
READER_ALONE = "The reader, without any candidate"
IMAGE_HEAD = "image classifier, no similar case"
SHARED_WITH_INDEX = "beside labels of the index alone"
INDEX_ONLY = (
    "Known from the similar cases alone, never trained on: {names}. Only the labels of the nearest "
    "cases speak for it."
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


def reading_status(num_read: int, num_candidates: int) -> str:
    """Return the status line while candidates are read."""
    return f"Reading your image beside each similar case: {num_read} of {num_candidates} done."


def done_status(milliseconds: float, num_candidates: int) -> str:
    """Return the status line of a finished run; no candidate means that the image was refused."""
    if not num_candidates:
        return f"Done in {milliseconds / 1000:.1f} s: the image was refused, no case was read."
    return f"Done: {num_candidates} similar cases read in {milliseconds / 1000:.1f} s."


def removed_status(num_removed: int, num_candidates: int) -> str:
    """Return the status line after a removal."""
    left = num_candidates - num_removed
    return f"Recomputed from {left} of {num_candidates} candidates; the model did not run again."


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th, 11th, 21st ..."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"


def percentile_words(percentile: float) -> str:
    """Return what a similarity percentile means; never 100 % of pairs.

    Args:
        percentile: share of random corpus pairs that are less similar, 0 to 100.
    """
    return f"closer than {min(percentile, 99.9):.1f} % of random corpus pairs"


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
