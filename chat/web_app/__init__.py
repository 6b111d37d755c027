"""The page as an installable web application: manifest, icons, service worker, offline page."""
