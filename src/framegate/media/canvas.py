"""Canvas helpers shared by fitting and letterboxing: size labels, white backgrounds, edge colors and centering."""

from PIL import Image, ImageStat

WHITE = (255, 255, 255)

Color = tuple[int, ...]
Size = tuple[int, int]


def size_label(size: Size) -> str:
    """Width and height as text, such as `832x480`."""
    return f"{size[0]}x{size[1]}"


def flatten(image: Image.Image) -> Image.Image:
    """Composite an RGBA image on white; return an image of any other mode unchanged."""
    if image.mode != "RGBA":
        return image
    background = Image.new("RGBA", image.size, WHITE)
    return Image.alpha_composite(background, image).convert("RGB")


def edge_color(image: Image.Image, *, left_right: bool = True, top_bottom: bool = True) -> Color:
    """Mean color of the chosen edges, for padding that blends with the image."""
    width, height = image.size
    vertical = ((0, 0, 1, height), (width - 1, 0, width, height)) if left_right else ()
    horizontal = ((0, 0, width, 1), (0, height - 1, width, height)) if top_bottom else ()
    means = [ImageStat.Stat(image.crop(edge)).mean for edge in (*horizontal, *vertical)]
    return tuple(round(sum(channel) / len(means)) for channel in zip(*means, strict=True))


def center(image: Image.Image, size: Size, color: Color) -> Image.Image:
    """Paste an image in the center of a canvas of the given size and color."""
    canvas = Image.new(image.mode, size, color)
    canvas.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
    return canvas
