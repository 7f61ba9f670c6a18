"""The types of resources that a stack can have: one module for each service of AWS."""
