"""The pages of docs/recipes, applied to fresh renders."""
