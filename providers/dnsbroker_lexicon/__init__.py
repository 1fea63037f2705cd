"""The adapter that reaches other services through dns-lexicon, of the extra ``dnsbroker[lexicon]``.

Importing it is cheap and needs no dns-lexicon: that comes in when the adapter acts. Refused: letting dns-lexicon guess
a zone or a service, or read the environment and files for its settings.
"""

from dnsbroker_lexicon.adapter import Lexicon
from dnsbroker_lexicon.settings import LexiconSettings

__all__ = ["Lexicon", "LexiconSettings"]
