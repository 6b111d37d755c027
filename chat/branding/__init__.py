"""The site's branding: name, logo, accent colour and the texts of the operator."""
