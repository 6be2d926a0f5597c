"""Prepared pictures of a video: decoded, with their subject, depth and palette, and the composite of a placement."""

from dataclasses import dataclass, replace

from framegate.animatic.camera.framing import Focus, Size
from framegate.animatic.output.source_video import SourceVideo
from framegate.animatic.picture import composite, depth, palette, planes, subject
from framegate.animatic.picture.arrays import Map, resize_map
from framegate.animatic.picture.cutout import Cutout, cut_out
from framegate.animatic.picture.planes import Pixels
from framegate.animatic.plan.shots import Placement, Plan, Role
from framegate.animatic.prompt.placement import apply_placement
from framegate.animatic.spec import Spec


@dataclass(frozen=True)
class PreparedPicture:
    """A picture with its analysis; `style` is the matrix of a color transfer.

    `pixels_across` is the width of the file's picture.
    """

    pixels: Pixels
    focus: Focus | None = None
    relief: depth.Relief | None = None
    style: Map | None = None
    pixels_across: int = 0

    @property
    def size(self) -> Size:
        return planes.size_of(self.pixels)


class PictureLoader:
    """Loads and prepares the pictures of a video."""

    def __init__(self, spec: Spec, plan: Plan, output: Size, source: SourceVideo | None, cutout: Cutout | None) -> None:
        self._spec, self._placement, self._output = spec, plan.placement, output
        self._source, self._cutout = source, cutout
        self._style = None if spec.style is None else palette.Palette.of(planes.load(spec.style))

    def load(self, role: Role, index: int) -> PreparedPicture:
        """Load the picture for shots of this role and index. Raises UnreadablePicture."""
        if role is Role.TITLE:
            return PreparedPicture(planes.draw_title_card(self._spec.prompt, self._output, self._spec.seed))
        picture = self._read(role, index)
        across = picture.shape[1]
        likely_subject = subject.find_subject(picture)
        scene_index = self._placement.scene if self._placement is not None and role is Role.REFERENCE else None
        if self._cutout is not None and scene_index == index:
            composite_picture = composite.compose(self._cutout, picture, self._output)
            picture = composite_picture.picture
            small = resize_map(
                composite_picture.coverage, likely_subject.salience.shape[1], likely_subject.salience.shape[0]
            )
            likely_subject = subject.Subject(composite_picture.focus, small)
        style = None if self._style is None else self._style.transfer_matrix(palette.Palette.of(picture))
        return PreparedPicture(
            picture, likely_subject.focus, depth.estimate_relief(picture, likely_subject), style, across
        )

    def _read(self, role: Role, index: int) -> Pixels:
        if role is Role.SOURCE and self._source is not None:
            return self._source.last_frame
        frames = {Role.FIRST_FRAME: self._spec.first_frame, Role.LAST_FRAME: self._spec.last_frame}
        return planes.load(frames.get(role) or self._spec.references[index])


def resolve_placement(spec: Spec, plan: Plan) -> tuple[Plan, Cutout | None]:
    """Apply the plan's placement if its subject can be cut out reliably; else the plan gets a note.

    Without a placement in the prompt, the first of two references is placed in the second one if only the first is a
    transparent cut-out.
    """
    placement = plan.placement or (Placement(subject=0, scene=1) if _first_is_cutout(spec, plan) else None)
    if placement is None:
        return plan, None
    cutout = cut_out(*planes.load_with_alpha(spec.references[placement.subject]))
    if cutout is not None:
        return apply_placement(plan, placement), cutout
    note = (
        f"reference {placement.subject + 1} has its own shot, because its subject could not be cut out reliably: "
        "to place it in a scene, use a PNG with a transparent background or a photo with a plain backdrop"
    )
    return replace(plan, placement=None, notes=(*plan.notes, note)), None


def _first_is_cutout(spec: Spec, plan: Plan) -> bool:
    if len(spec.references) != 2 or {shot.role for shot in plan.shots} != {Role.REFERENCE}:
        return False
    first, second = spec.references
    if not planes.has_alpha(first) or planes.has_alpha(second):
        return False
    picture, alpha = planes.load_with_alpha(first)
    return alpha is not None and cut_out(picture, alpha) is not None
