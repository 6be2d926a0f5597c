"""The pictures of a clip with all that is known about them: subject, depth, palette, and who is set into what."""

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
    """A picture with what is known about it; `style` is the matrix that lends it a palette.

    `pixels_across` is the width of the picture as it was given.
    """

    picture: Pixels
    focus: Focus | None = None
    relief: depth.Relief | None = None
    style: Map | None = None
    pixels_across: int = 0

    @property
    def size(self) -> Size:
        return planes.size_of(self.picture)


class PictureLoader:
    """Makes the scenes of a clip, each when its turn comes."""

    def __init__(self, spec: Spec, plan: Plan, output: Size, source: SourceVideo | None, cutout: Cutout | None) -> None:
        self._spec, self._placement, self._output = spec, plan.placement, output
        self._source, self._cutout = source, cutout
        self._style = None if spec.style is None else palette.Palette.of(planes.load(spec.style))

    def load(self, role: Role, index: int) -> PreparedPicture:
        """The picture that shots of this role and index show. Raises UnreadablePicture."""
        if role is Role.TITLE:
            return PreparedPicture(planes.draw_title_card(self._spec.prompt, self._output, self._spec.seed))
        picture = self._read(role, index)
        across = picture.shape[1]
        likely_subject = subject.find_subject(picture)
        scene_index = self._placement.scene if self._placement is not None and role is Role.REFERENCE else None
        if self._cutout is not None and scene_index == index:
            composed = composite.compose(self._cutout, picture, self._output)
            picture = composed.picture
            small = resize_map(composed.cover, likely_subject.salience.shape[1], likely_subject.salience.shape[0])
            likely_subject = subject.Subject(composed.focus, small)
        style = None if self._style is None else self._style.transfer_to(palette.Palette.of(picture))
        return PreparedPicture(
            picture, likely_subject.focus, depth.estimate_relief(picture, likely_subject), style, across
        )

    def _read(self, role: Role, index: int) -> Pixels:
        if role is Role.SOURCE and self._source is not None:
            return self._source.last_frame
        frames = {Role.FIRST_FRAME: self._spec.first_frame, Role.LAST_FRAME: self._spec.last_frame}
        return planes.load(frames.get(role) or self._spec.references[index])


def resolve_placement(spec: Spec, plan: Plan) -> tuple[Plan, Cutout | None]:
    """The plan with a subject set into its scene, where one is meant and its cut-out can be trusted.

    Meant is what the prompt says; or the first of two references if it alone is a cut-out already.
    """
    placement = plan.placement or (Placement(subject=0, scene=1) if _first_is_cutout(spec, plan) else None)
    if placement is None:
        return plan, None
    cutout = cut_out(*planes.load_with_alpha(spec.references[placement.subject]))
    if cutout is not None:
        return apply_placement(plan, placement), cutout
    note = (
        f"reference {placement.subject + 1} is shown in a shot of its own: its subject could not be cut out reliably; "
        "a PNG with a transparent background, or a photo before a plain backdrop, can be set into a scene"
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
