//! One customer turn, message in to checked reply out; the only file that knows the order of the stages.
