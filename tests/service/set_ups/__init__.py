"""Apps of services that set up logging in their own way, some of them as its documentation says."""
