"""Debian's own daemons as the recipes in docs/recipes.md set them up, each as one ordinary user in the lab."""
