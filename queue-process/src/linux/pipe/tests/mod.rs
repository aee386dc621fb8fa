mod crash;
mod fixtures;
mod overflow;
