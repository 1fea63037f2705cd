"""``doctor``: every check for every configured certificate and for names given, gathered and put in order."""
