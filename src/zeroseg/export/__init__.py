"""Models as files for other runtimes: `zeroseg export`. The room `exported` loads them."""

from zeroseg.export.calibration import bundled_pictures, pixels_of
from zeroseg.export.making import Form, export
from zeroseg.export.web_page import export_page

__all__ = ["Form", "bundled_pictures", "export", "export_page", "pixels_of"]
