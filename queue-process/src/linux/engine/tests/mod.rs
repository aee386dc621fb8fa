mod batch;
mod lock;
mod order;
