"""Forms of the administration: floor plans, zones drawn by hand, calibration from points, recordings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
from django import forms
from django.contrib.admin.widgets import AdminFileWidget, AdminTextareaWidget
from django.urls import reverse

from calibration import fit_homography, reprojection_error_m
from environments.models import Camera, Environment, Recording, Zone
from environments.selectors import recordings_overlapping
from environments.validators import image_size_of


class PolygonWidget(AdminTextareaWidget):
    """A polygon drawn on the environment's floor plan; a plain text field without JavaScript."""

    template_name = "environments/admin/polygon_widget.html"

    class Media:
        js = ("environments/zone_editor.js",)

    def __init__(self) -> None:
        super().__init__({"rows": 3, "class": "coordinates", "spellcheck": "false"})

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        # the editor puts in the environment that is chosen in the form
        context["widget"]["plan_url"] = reverse("admin:environments_environment_plan", args=[0])
        return context


class PrivateImageWidget(AdminFileWidget):
    """An upload with the stored picture above it; pictures have no public address."""

    template_name = "environments/admin/image_widget.html"
    image_url: str | None = None

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["widget"]["image_url"] = self.image_url
        return context


class EnvironmentForm(forms.ModelForm):
    class Meta:
        model = Environment
        fields = "__all__"  # noqa: DJ007 - the admin's fieldsets say which
        widgets = {"floor_plan": PrivateImageWidget, "description": forms.Textarea({"rows": 3})}

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if "floor_plan" in self.changed_data and "floor_plan" in data:
            upload = data["floor_plan"]
            size = image_size_of(upload) if upload else (None, None)
            self.instance.floor_plan_width_px, self.instance.floor_plan_height_px = size
        return data


class ZoneForm(forms.ModelForm):
    class Meta:
        model = Zone
        fields = ("environment", "name", "slug", "kind", "max_persons", "is_active", "polygon")
        widgets = {"polygon": PolygonWidget}


class CameraForm(forms.ModelForm):
    calibration_points = forms.CharField(
        required=False,
        widget=AdminTextareaWidget({"rows": 5, "class": "coordinates", "spellcheck": "false"}),
        help_text="Calibrates on saving, in place of what is above. One point on the ground per line: x and "
        "y in the image (pixels), x and y on the map (metres), for example <code>312, 240, 12.5, 8.0</code>. "
        "Four points at least, no three on one line; eight or more, spread over the picture, are better.",
    )

    class Meta:
        model = Camera
        fields = "__all__"  # noqa: DJ007 - the admin's fieldsets say which
        widgets = {
            "preview": PrivateImageWidget,
            "calibration": AdminTextareaWidget({"rows": 6, "class": "coordinates", "spellcheck": "false"}),
        }

    def clean_calibration_points(self) -> np.ndarray | None:
        """(n, 4) of x_px, y_px, x_m, y_m, known to fix a homography; None when left empty."""
        lines = [line for line in self.cleaned_data["calibration_points"].splitlines() if line.strip()]
        if not lines:
            return None
        rows = []
        for number, line in enumerate(lines, start=1):
            try:
                row = [float(part) for part in line.replace(",", " ").replace(";", " ").split()]
            except ValueError:
                row = []
            if len(row) != 4 or not np.isfinite(row).all():
                raise forms.ValidationError(f"Line {number} must hold four numbers: x_px, y_px, x_m, y_m.")
            rows.append(row)
        points = np.array(rows)
        try:
            H = fit_homography(points[:, :2], points[:, 2:])
        except ValueError as error:
            raise forms.ValidationError(f"These points do not calibrate the camera: {error}.") from error
        worst = reprojection_error_m(H, points[:, :2], points[:, 2:])
        if worst.max() > 2.0:
            raise forms.ValidationError(
                f"Line {int(worst.argmax()) + 1} is {worst.max():.1f} m off from what the other points say. "
                "Check that its image point and its map point are the same spot."
            )
        return points


class RecordingForm(forms.ModelForm):
    class Meta:
        model = Recording
        fields = ("camera", "uri", "started_at", "duration_s", "fps")
        help_texts = {
            "duration_s": "Leave duration and frames per second empty to have them read from the source."
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        duration_s, fps = data.get("duration_s"), data.get("fps")
        if (duration_s is None) != (fps is None):
            raise forms.ValidationError("Give both duration and frames per second, or neither.")
        if fps is not None and fps <= 0:
            self.add_error("fps", "Frames per second must be above 0.")
        if duration_s and duration_s > 0 and data.get("camera") and data.get("started_at"):
            self._refuse_overlap(data["camera"], data["started_at"], duration_s)
        return data

    def _refuse_overlap(self, camera: Camera, started_at: Any, duration_s: float) -> None:
        end = started_at + timedelta(seconds=duration_s)
        for other in recordings_overlapping(camera=camera, start=started_at, end=end):
            if other.pk != self.instance.pk:
                self.add_error(
                    "started_at",
                    f"Overlaps {other.uri}, which runs from {other.started_at:%Y-%m-%d %H:%M:%S} to "
                    f"{other.ended_at:%H:%M:%S} UTC. Correct the start or remove the other recording.",
                )
                return
