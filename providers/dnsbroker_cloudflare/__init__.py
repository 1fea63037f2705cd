"""The adapter for Cloudflare's DNS."""
