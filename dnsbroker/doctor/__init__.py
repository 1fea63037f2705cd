"""``doctor``: every check for every configured certificate and for names given, gathered and put in order."""

from dnsbroker.doctor.diagnosis import Diagnosis, Examined
from dnsbroker.doctor.examination import examine

__all__ = ["Diagnosis", "Examined", "examine"]
