"""All matplotlib: pictures of images, trials and sweeps. Imports analysis and below."""
