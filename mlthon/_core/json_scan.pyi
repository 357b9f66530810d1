# Nothing for Python: json_scan.pxd is for other compiled modules.
