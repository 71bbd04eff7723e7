// The viewer starts once it and its tools are there.
watch('value', refresh);
refresh();
