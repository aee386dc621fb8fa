mod hostile_peer;
