# Completion of switchboard for fish.
complete -c switchboard -f -a '(switchboard complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
