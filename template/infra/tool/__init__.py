"""The tool. Commands are in `cli`; decisions are pure functions; calls to AWS go through `aws`."""
