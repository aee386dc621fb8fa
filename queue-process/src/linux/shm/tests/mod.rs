mod arena;
mod hostile_peer;
mod options;
mod position;
