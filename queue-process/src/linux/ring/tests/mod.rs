mod hostile_peer;
mod mapped;
mod options;
mod position;
