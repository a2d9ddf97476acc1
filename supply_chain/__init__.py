"""What Mien is installed from: `make lock` pins it, `make audit` looks for known vulnerabilities.

`mien sbom` lists what is installed. This package is not in the wheel.
"""
