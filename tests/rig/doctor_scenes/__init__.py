"""For each word of the doctor's a scene in which its fault exists, beside the same scene without it.

Rule: a scene is the sound world of ``practice``, set up by its ``stage``; ``fault`` is all that is changed after that.
Each word has a scene in which it is as grave as it can be.
"""

from doctor_scenes.ca_faults import CA
from doctor_scenes.dane_faults import DANE
from doctor_scenes.scene import Act, Scene
from doctor_scenes.service_faults import SERVICES
from doctor_scenes.signing_faults import SIGNED
from doctor_scenes.zone_faults import ZONES

__all__ = ["SCENES", "Act", "Scene"]

SCENES = (*ZONES, *SIGNED, *SERVICES, *CA, *DANE)
