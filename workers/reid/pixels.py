"""The descriptor's loops over pixels, as machine code.

A crop is (width, 3, height) here: each column's blue, green and red from top to bottom. Heights are the longest axis,
so the innermost loops run over them and the compiler does many rows at once.
"""

from __future__ import annotations

import numpy as np

from workers.compiled import compiled, compiled_lean

# The table that turns pixels into soft bins: levels per channel of a pixel, bins of lightness (Lab L) and of each of
# the two colour axes. Constants, since loops of a length that the compiler knows are faster.
TABLE_LEVELS, LIGHTNESS_BINS, COLOUR_BINS = 16, 4, 5
BINS = LIGHTNESS_BINS * COLOUR_BINS**2

# Rows that are turned into columns together, as many float32 as a cache line holds. Crops are a multiple of it high,
# and a multiple of four pixels wide.
STRIP = 16
# of an image, every so many pixels of about so many rows are averaged: each row is a way to the memory of its own
SAMPLE_STEP, SAMPLE_ROWS = 4, 48
CACHE_LINE = 64  # bytes


@compiled_lean
def mean_colour(rows):
    """Average blue, green and red of every fourth pixel of some evenly spaced (height, 3 * width) uint8 rows."""
    # 32 bits are enough for 16 million pixels
    blue = green = red = np.uint32(0)
    columns, step = (rows.shape[1] // 3 + SAMPLE_STEP - 1) // SAMPLE_STEP, max(1, len(rows) // SAMPLE_ROWS)
    count = 0
    for y in range(step // 2, len(rows), step):
        row = rows[y]
        count += columns
        for x in range(columns):
            at = 3 * SAMPLE_STEP * x
            blue += np.uint32(row[at])
            green += np.uint32(row[at + 1])
            red += np.uint32(row[at + 2])
    return blue / count, green / count, red / count


@compiled_lean
def _fetch(rows, corners):
    """Read something of every cache line of the boxes. An image that was decoded a while ago lies in memory, not in the
    cache; asked for all at once, its lines come in half the time.

    Returns:
        A number that means nothing: what nobody uses would not be read.
    """
    total = np.uint32(0)
    for n in range(len(corners)):
        x1, y1, x2, y2 = corners[n]
        for y in range(y1, y2):
            row = rows[y]
            for k in range(3 * x1, 3 * x2, CACHE_LINE):
                total += np.uint32(row[k])
            total += np.uint32(row[3 * x2 - 1])
    return total


@compiled
def shrink(rows, corners, crops):
    """Write the crops of boxes that are wider and higher than a crop as cv2.INTER_AREA does; leave the others alone.

    Args:
        rows: (image height, 3 * image width) uint8.
        corners: (n, 4) int64 xyxy whole pixels within the image.
        crops: (n, width, 3 * height) uint8, overwritten.

    Returns:
        See `_fetch`.
    """
    fetched = _fetch(rows, corners)
    width, height = crops.shape[1], crops.shape[2] // 3
    widest = 0
    for n in range(len(corners)):
        widest = max(widest, corners[n, 2] - corners[n, 0])
    strip = np.empty((STRIP, 3 * widest), np.float32)
    columns = np.empty((widest, 3 * height), np.float32)
    small = np.empty((width, 3 * height), np.float32)
    for n in range(len(corners)):
        x1, y1, x2, y2 = corners[n]
        if x2 - x1 > width and y2 - y1 > height:
            _shrink(rows, x1, y1, x2, y2, strip, columns, small, crops[n])
    return fetched


@compiled_lean
def _shrink(rows, x1, y1, x2, y2, strip, columns, small, crop):
    """First the height, a strip at a time so that it stays in the cache, then the width.

    Weights are multiples of 1 / height and 1 / width of a crop, both powers of two: for all but very large boxes,
    float32 adds up without rounding.

    Args:
        strip, columns, small: (STRIP, 3 * widest), (widest, 3 * height), (width, 3 * height) float32, overwritten.
    """
    height = columns.shape[1] // 3
    down, across = np.float32(y2 - y1) / np.float32(height), np.float32(x2 - x1) / np.float32(len(crop))
    for first in range(0, height, STRIP):
        _add_up(rows, y1, 3 * x1, 3 * x2, down, first, strip)
        for x in range(x2 - x1):
            for c in range(3):
                start = c * height + first
                column = columns[x, start : start + STRIP]
                for y in range(STRIP):
                    column[y] = strip[y, 3 * x + c]
    _add_up(columns, 0, 0, 3 * height, across, 0, small)
    area = down * across
    for x in range(len(crop)):
        source, target = small[x], crop[x]
        for k in range(len(source)):
            target[k] = np.uint8(np.int32(np.rint(source[k] / area)))


@compiled_lean
def _add_up(rows, top, left, right, step, first, sums):
    """Write (m, right - left) float32 sums of `step` rows each, from share `first` on; a row may lie in two shares.

    Args:
        rows: (h, w) uint8 or float32, of which the columns `left` to `right` are taken, counted from row `top`.
    """
    for m in range(len(sums)):
        begin, end = np.float32(first + m) * step, np.float32(first + m + 1) * step
        total = sums[m, : right - left]
        total[:] = 0
        for i in range(int(begin), int(np.ceil(end))):
            weight = min(np.float32(i + 1), end) - max(np.float32(i), begin)
            row = rows[top + i, left:right]
            for k in range(len(total)):
                total[k] += weight * np.float32(row[k])


@compiled
def measure_parts(crops, gains, soft_bins, across, down, directions, colours, gradients):
    """Count each crop's colours and gradients by part.

    Args:
        crops: (n, width, 3, height) uint8, overwritten: multiplied by (3,) float64 gains.
        soft_bins: (levels ** 3, BINS) float32: the share in each bin of every level of blue, green and red.
        across: (width,) float32 weights of columns, the same from left and right; down: (height, parts) of rows.
        directions: (2, orientations) float32 unit vectors.
        colours: (n, parts, BINS) float32, added to; gradients: (n, parts, orientations).
    """
    width, height = crops.shape[1], crops.shape[3]
    entries, row_bins = np.empty((width, height), np.int32), np.empty(BINS, np.float32)
    grey = np.empty((width + 2, height + 2), np.float32)
    doubled = np.empty((2, height), np.float32)
    along = np.empty((directions.shape[1], height), np.float32)
    for n in range(len(crops)):
        _brighten(crops[n], gains)
        _find_entries(crops[n], entries)
        _count_colours(entries, soft_bins, across, down, row_bins, colours[n])
        _turn_grey(crops[n], grey)
        _measure_gradients(grey, across, directions, doubled, along)
        _collect(along, down, gradients[n])


@compiled_lean
def _brighten(crop, gains):
    """Multiply a (width, 3, height) crop's channels, cut off at 255."""
    for x in range(crop.shape[0]):
        for c in range(3):
            values, gain = crop[x, c], gains[c]
            for y in range(len(values)):
                values[y] = np.uint8(np.int32(min(np.float64(values[y]) * gain, 255.0)))


@compiled_lean
def _find_entries(crop, entries):
    """Write (width, height) int32: which row of the table of soft bins a pixel takes."""
    step = 256 // TABLE_LEVELS
    for x in range(len(entries)):
        blue, green, red, column = crop[x, 0], crop[x, 1], crop[x, 2], entries[x]
        for y in range(len(column)):
            level = np.int32(blue[y] // step) * TABLE_LEVELS + np.int32(green[y] // step)
            column[y] = np.int32(level * TABLE_LEVELS + np.int32(red[y] // step))


@compiled_lean
def _count_colours(entries, soft_bins, across, down, row_bins, counts):
    """Add a crop's colours to (parts, BINS) counts: each row's once, then the row's to the parts it lies in."""
    width, height = entries.shape
    for y in range(height):
        row_bins[:] = 0
        # four pixels at a time, since fetching and keeping the counts takes as long as adding
        for x in range(0, width // 2, 2):
            left, right = soft_bins[entries[x, y]], soft_bins[entries[width - 1 - x, y]]
            a, b = soft_bins[entries[x + 1, y]], soft_bins[entries[width - 2 - x, y]]
            outer, inner = across[x], across[x + 1]
            for k in range(BINS):
                row_bins[k] += outer * (left[k] + right[k]) + inner * (a[k] + b[k])
        for part in range(len(counts)):
            weight = down[y, part]
            if weight > 0:
                part_bins = counts[part]
                for k in range(BINS):
                    part_bins[k] += weight * row_bins[k]


@compiled_lean
def _turn_grey(crop, grey):
    """Write (width + 2, height + 2) float32 grey levels of a crop, its outermost pixels repeated around it."""
    width, _, height = crop.shape
    for x in range(width):
        blue, green, red, column = crop[x, 0], crop[x, 1], crop[x, 2], grey[x + 1, 1:-1]
        for y in range(height):
            column[y] = (
                np.float32(0.114) * np.float32(blue[y])
                + np.float32(0.587) * np.float32(green[y])
                + np.float32(0.299) * np.float32(red[y])
            )
        grey[x + 1, 0], grey[x + 1, height + 1] = column[0], column[height - 1]
    for y in range(height + 2):
        grey[0, y], grey[width + 1, y] = grey[1, y], grey[width, y]


@compiled_lean
def _measure_gradients(grey, across, directions, doubled, along):
    """Write (orientations, height) float32: how much of each row's gradient runs along each direction.

    Twice the angle is taken: an edge from dark to light is the same edge from light to dark.
    """
    along[:] = 0
    for x in range(len(across)):
        left, middle, right = grey[x], grey[x + 1], grey[x + 2]
        for y in range(along.shape[1]):
            dx, dy = right[y + 1] - left[y + 1], middle[y + 2] - middle[y]
            strength = np.sqrt(dx * dx + dy * dy) + np.float32(1e-6)
            doubled[0, y] = (dx * dx - dy * dy) / strength
            doubled[1, y] = np.float32(2) * dx * dy / strength
        for o in range(len(along)):
            cosine, sine, total = directions[0, o], directions[1, o], along[o]
            for y in range(along.shape[1]):
                projected = doubled[0, y] * cosine + doubled[1, y] * sine
                total[y] += across[x] * max(projected, np.float32(0))


@compiled_lean
def _collect(along, down, gradients):
    """Add (orientations, height) values of rows to (parts, orientations) of the parts they lie in."""
    for y in range(len(down)):
        for part in range(len(gradients)):
            weight = down[y, part]
            if weight > 0:
                for o in range(len(along)):
                    gradients[part, o] += weight * along[o, y]


@compiled_lean
def write_features(colours, gradients, flat_gradient, texture_weight, features):
    """Write (n, parts * (bins + orientations)) float32 features: the colours of all parts, then their texture.

    Each part's mean is taken out, so that unlike clothes are near 0.

    Args:
        colours: (n, parts, bins) float32; gradients: (n, parts, orientations) float32.
        flat_gradient: so much gradient (grey levels) is taken for noise.
    """
    _, parts, bins = colours.shape
    orientations = gradients.shape[2]
    for n in range(len(colours)):
        for part in range(parts):
            at = part * bins
            _centre_colours(colours[n, part], features[n, at : at + bins])
            at = parts * bins + part * orientations
            _centre_texture(
                gradients[n, part], flat_gradient, texture_weight, features[n, at : at + orientations]
            )


@compiled_lean
def _centre_colours(counts, features):
    """Scale (bins,) counts to unit length and take their mean out."""
    total = squares = 0.0
    for k in range(len(counts)):
        total += counts[k]
        squares += counts[k] * counts[k]
    length = np.sqrt(squares)
    mean, length = np.float32(total / length / len(counts)), np.float32(length)
    for k in range(len(counts)):
        features[k] = counts[k] / length - mean


@compiled_lean
def _centre_texture(gradients, flat_gradient, texture_weight, features):
    """The square roots of (orientations,) shares, their mean taken out."""
    whole, mean = flat_gradient, 0.0
    for o in range(len(gradients)):
        whole += gradients[o]
    for o in range(len(gradients)):
        features[o] = np.sqrt(gradients[o] / whole)
        mean += features[o] / len(gradients)
    for o in range(len(gradients)):
        features[o] = texture_weight * (features[o] - mean)
