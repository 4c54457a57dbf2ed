# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_mqtt_global_optspecs
    string join \n help help-all version
end

function __fish_mqtt_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_mqtt_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_mqtt_using_subcommand
    set -l cmd (__fish_mqtt_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c mqtt -n "__fish_mqtt_needs_command" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_needs_command" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_needs_command" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_needs_command" -f -a "pub" -d 'Publish messages to a topic'
complete -c mqtt -n "__fish_mqtt_needs_command" -f -a "sub" -d 'Subscribe to topics and write out the messages that arrive'
complete -c mqtt -n "__fish_mqtt_needs_command" -f -a "rr" -d 'Publish a request and write out the response'
complete -c mqtt -n "__fish_mqtt_needs_command" -f -a "bench" -d 'Generate load and measure latency, throughput and loss'
complete -c mqtt -n "__fish_mqtt_needs_command" -f -a "retain-clear" -d 'Clear retained messages, and verify that they are gone'
complete -c mqtt -n "__fish_mqtt_needs_command" -f -a "will-test" -d 'Test that the broker publishes wills when it must, and only then'
complete -c mqtt -n "__fish_mqtt_needs_command" -f -a "ping" -d 'Go the way to a broker step by step, and measure round trips'
complete -c mqtt -n "__fish_mqtt_needs_command" -f -a "broker" -d 'Run a scratch broker for development and tests'
complete -c mqtt -n "__fish_mqtt_needs_command" -f -a "config" -d 'Show settings and profiles, and check the configuration file'
complete -c mqtt -n "__fish_mqtt_needs_command" -f -a "compat" -d 'Take the place of mosquitto\'s clients'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s t -l topic -d 'Topic to publish to; may be repeated: each message goes to each of them' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s q -l qos -d 'QoS: 0 at most once, 1 at least once, 2 exactly once' -r -f -a "0\t''
1\t''
2\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l repeat -d 'Send the message this many times, or until the program is ended [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l interval -d 'Send repeats at this interval, on a schedule that begins with the first one' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l repeat-delay -d 'Pause before each repeat, once the last message is acknowledged [default: 0]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s W -d 'Leave after this time, with exit status 27' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l topic-alias -d 'Number for the topic, so that it is sent only once a connection (MQTT 5); auto takes one if the broker allows it' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s m -l message -d 'This text' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s f -l file -d 'The content of this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l topic-from-line -d 'With -l: each line has its topic, SEPARATOR and the payload' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l on-error -d 'What a line does that is no record, or has no topic: skip goes on with the next, stop ends the run once everything before it is acknowledged [default: skip]' -r -f -a "skip\t''
stop\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l rewrite-topic -d 'Change topics: replace what the regular expression matches; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l seed -d 'Make the random values of --template, but not its times, the same in each run' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l spool -d 'Keep messages in FILE until the broker has acknowledged them. What a run has left there, the next one sends first, also if it has no message of its own. With -l the input is taken in whether there is a broker or not; needs QoS 1 or 2' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l spool-max-size -d 'How long the spool may become before -l waits with its input and other messages are refused' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s D -l property -d 'Add a property to a packet (MQTT 5); may be repeated. COMMAND is connect, publish, will, subscribe, unsubscribe or disconnect; NAME is the standard\'s, such as content-type; user-property takes a KEY and a VALUE' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l content-type -d 'Content type of the message, such as text/plain' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l payload-format-indicator -d 'Whether the payload is bytes of any kind (0) or UTF-8 text (1)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l message-expiry -d 'How long the broker may keep the message for those it has not reached yet, in whole seconds' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l response-topic -d 'Topic that an answer is expected on' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l correlation-data -d 'What the answer is to be known by: text, or bytes as hex:… or base64:…' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l user-property -d 'User property of the message; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l receive-maximum -d 'Most QoS 1 and 2 messages the broker may send before they are acknowledged [default: 65535]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l topic-alias-maximum -d 'How many topic aliases the broker may use [default: 0]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l request-response-information -d 'Whether to ask the broker what response topics are to begin with (shown with -d)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l request-problem-information -d 'Whether the broker may send reason strings and user properties with its answers [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l connect-user-property -d 'User property of the CONNECT; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l disconnect-session-expiry -d 'At the end, change how long the broker keeps the session, as with -x' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l disconnect-reason -d 'Reason string of the DISCONNECT' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l disconnect-user-property -d 'User property of the DISCONNECT; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l will-delay -d 'How long the broker waits before it publishes the will, in whole seconds [default: 0]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l will-content-type -d 'Content type of the will' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l will-payload-format-indicator -d 'Whether the will\'s payload is bytes of any kind (0) or UTF-8 text (1)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l will-message-expiry -d 'How long the broker may keep the will, once published, for those it has not reached yet' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l will-response-topic -d 'Response topic of the will' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l will-correlation-data -d 'Correlation data of the will: text, or bytes as hex:… or base64:…' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l will-user-property -d 'User property of the will; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s h -l host -d 'Broker: host or IP address' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s p -l port -d 'Port; 8883 turns TLS on [default: 1883, or 8883]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s L -l url -d 'Broker as URL: mqtt[s]:// or ws[s]://[USER@]HOST[:PORT]' -r -f
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l name-server -d 'Name server to ask with -S, an IP address with :PORT if need be; may be repeated [default: the system\'s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l unix -d 'Unix socket of the broker, in place of host and port' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l ws-path -d 'Path of the WebSocket, with its query [default: /mqtt]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l ws-header -d 'Further header of the WebSocket\'s request, \'NAME: VALUE\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l proxy -d 'Proxy to go through: socks5h://[USER:PASSWORD@]HOST[:PORT], socks5:// (the broker\'s name is looked up here), http://, or env for the one that ALL_PROXY and NO_PROXY choose' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s A -l bind-address -d 'Local IP address to connect from' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s u -l username -d 'User name' -r -f -a "(__fish_complete_users)"
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s P -l password -l pw -d 'Password; see --password-file and --password-prompt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l password-file -d 'File that holds the password; a line feed at its end and a byte-order mark are not part of it' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l password-command -d 'Command that writes the password to its standard output, run by the shell; it may take as long as --connect-timeout says, but no longer than the run may, and is ended then with all that it has started. In a file that another user owns or can write it is refused' -r -f -a "(__fish_complete_command)"
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l auth-method -d 'Authentication method (MQTT 5): SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512 with -u and a password, which is never sent; or any other with --auth-data' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l auth-data -d 'Authentication data (MQTT 5): text, or bytes as hex:… or base64:…; may be repeated, each further one answers one question of the broker' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l reauthenticate -d 'Authenticate again whenever this time has passed, on the same connection (MQTT 5)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s i -l client-id -l id -d 'Client identifier [default: the broker assigns one]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s I -l id-prefix -d 'Client identifier of this prefix and the process identifier' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s V -l protocol-version -d 'Version of MQTT; auto is 5, or 3.1.1 if the broker refuses 5 or has not answered it after 3 s, or 3.1 if it refuses 3.1.1 too. mqttv31, mqttv311 and mqttv5 mean the same as 31, 311 and 5' -r -f -a "auto\t'MQTT 5, and 3.1.1 if the broker refuses the version'
31\t'MQTT 3.1'
311\t'MQTT 3.1.1'
5\t'MQTT 5'"
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s k -l keepalive -d 'Keep Alive: test the link after this silence, in whole seconds; 0 turns it off' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s x -l session-expiry -d 'How long the broker keeps the session after the connection ends, or never for ever (MQTT 5) [default: 0, with -c never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s M -l max-inflight -d 'Most QoS 1 and 2 messages sent and not yet acknowledged' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l max-packet-size -d 'Largest packet accepted from the broker, such as 64k (64000) or 64Ki (65536 bytes); a message may take twice that in memory' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l connect-timeout -d 'Limit for connecting, and again for the answer to CONNECT. Where the command ends by itself and has no -W, also for each further answer: to a PUBLISH of pub (not with -l), to SUBSCRIBE, and to the PINGREQ after the last QoS 0 message' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l reconnect -d 'When the link is lost: never, always, or how many attempts in a row may fail. Refused credentials, an untrusted certificate and three hang-ups on the same packet end the run all the same [default: always for sub and pub -l, 10 for retain-clear, else never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l reconnect-max-delay -d 'Longest pause between two attempts to reconnect' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l wait-for-server -d 'For how long to try to make the first connection; 0 is one attempt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l profile -d 'Profile of the configuration file to take options from [default: the one that its default-profile names]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l config -d 'Configuration file [default: ~/.config/mqtt/config.toml]' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s o -l options-file -d 'File of options as mosquitto\'s clients have them: one a line, its value behind it after a blank, tabs or =' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l cafile -d 'Trust the certificate authorities in this PEM file; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l capath -d 'Trust the certificate authorities in the PEM files of this directory; turns TLS on' -r -f -a "(__fish_complete_directories)"
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l cert -d 'Client certificate to show, a PEM file with its chain; needs --key; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l key -d 'Private key of the client certificate, a PEM file (PKCS#8, PKCS#1 or SEC1)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l key-password-file -d 'File that holds the password of an encrypted private key (PKCS#8)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l tls-alpn -d 'Application protocol to ask for (ALPN); several by commas, preferred first' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l tls-server-name -d 'Name to send (SNI) and to find in the broker\'s certificate, where it is not the host' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l tls-version -d 'Speak only this version of TLS: tlsv1.2 or tlsv1.3 [default: the newest both know]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l ciphers -d 'Cipher suites to allow, preferred first, by IANA\'s or OpenSSL\'s names, with colons between' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l tls-pin -d 'Public key that the broker has to have, besides a certificate in order: sha256: and its SHA-256 in Base64 or hexadecimal; may be repeated, one has to fit' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l crl -d 'Certificate revocation lists to apply, a PEM file; may be repeated. One that cannot be read is an error' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l tls-keylog -d 'Append the session keys to this file, with which a capture of the traffic can be read; env takes the name from SSLKEYLOGFILE' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l psk -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l psk-identity -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l tls-engine -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l tls-engine-kpass-sha1 -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l keyform -d 'Only pem is available' -r -f -a "pem\t''
engine\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l will-topic -d 'Topic of the message that the broker publishes if this client is lost' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l will-payload -d 'Payload of the will, at most 65,535 bytes [default: empty]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l will-qos -d 'QoS of the will [default: 0]' -r -f -a "0\t''
1\t''
2\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l json-events -d 'Write everything on standard error as JSON, one object a line, packets as with -d included; with =state changes of state, warnings and errors only. Usage errors, which come before, stay text' -r -f -a "all\t''
state\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l color -d 'Colour: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s r -l retain -d 'Have the broker keep the message for future subscribers'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s s -l stdin-file -d 'All of standard input'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s n -l null-message -d 'No payload'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s l -l stdin-line -d 'Each line of standard input, as a message of its own'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s 0 -l null-data -d 'With -l or --json: a NUL byte ends each line, and a line feed is a part of it'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l json -d 'Each line of standard input, as the record of a message: a JSON object such as mqtt sub --json writes'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l keep-retain -d 'Retain the messages that were received with RETAIN'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l template -d 'Fill in fields such as {seq} in topics and payloads, for each message'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s S -l srv -d 'Take the host for a domain and ask DNS for its brokers, the service records of _mqtt._tcp or, with TLS, _secure-mqtt._tcp'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l ws -d 'Speak MQTT in a WebSocket, as ws:// and wss:// in -L do'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l nodelay -d 'Send small packets at once; always on, and taken for mosquitto\'s sake'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l password-prompt -d 'Ask for the password on the terminal, without showing it'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s c -l disable-clean-session -d 'Go on with the session of an earlier connection and keep it; needs -i'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l follow-redirect -d 'Go where a broker sends its clients, with the same options and credentials (MQTT 5): at most 5 times in a row, and to at most 20 brokers'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l tls-use-os-certs -d 'Trust the operating system\'s certificate authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name; turns TLS on. The default where TLS is on without --cafile and --capath'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l insecure -d 'Accept any broker: neither certificate nor host name is verified'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l no-tls -d 'Connect without TLS, whatever other options say'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l will-retain -d 'Retain the will'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -s d -l debug -d 'Show every packet sent and received, on standard error'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l quiet -d 'Say nothing on standard error but usage errors; the exit status tells how it went'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l log-time -d 'Begin each line on standard error with the time: RFC 3339, UTC, milliseconds. --json-events has it anyway'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand pub" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s t -l topic -d 'Topic filter to subscribe to; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l subscribe -d 'Topic filter with options of its own; may be repeated. OPTIONS are qos=0|1|2, no-local, retain-as-published, retain-handling=always|new|never and id=NUMBER, the subscription identifier, with commas between them; the first colon ends them. Those not named are as given for -t. Example: qos=2,no-local:home/#' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s q -l qos -d 'Highest QoS to receive with: 0, 1 or 2' -r -f -a "0\t''
1\t''
2\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l retain-handling -d 'When the broker sends retained messages (MQTT 5) [default: always]' -r -f -a "always\t'At every subscribe'
new\t'Only if the subscription did not exist'
never\t'Never'"
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s U -l unsubscribe -d 'Topic filter to unsubscribe from; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s C -d 'Leave after this many messages' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s W -d 'Leave after this time, with exit status 27' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s T -l filter-out -d 'Do not show messages whose topic matches this filter; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l grep -d 'Show only payloads in which this regular expression is found' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l sample -l random-filter -d 'Show each message with this chance only: 0.1 to 100, such as 10%' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l max-rate -d 'Show at most so many messages of each topic, such as 1/s, 10/min or 4/h' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s F -l format -d 'Write each message in this format: %t topic, %p payload, %j JSON, \\n line feed' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l output -d 'Append the messages to FILE instead of writing them to standard output (-). SIGHUP makes it open FILE again, for programs that rename log files; a standard output that the shell has opened (> FILE) cannot be opened again, and SIGHUP changes nothing there. When its terminal is closed, mqtt sub ends, unless it was started with nohup' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l exec -d 'Run CMD with sh for each message, which is acknowledged when CMD ends with status 0' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l exec-jobs -d 'The most commands at a time, for messages of different topics: 1 to 256 [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l exec-timeout -d 'How long a command may take [default: 30]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l exec-failure -d 'What to do when a command fails [default: retry]' -r -f -a "retry\t'Run it again'
skip\t'Acknowledge the message'
stop\t'End'"
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l session-file -d 'Remember in FILE which QoS 2 messages were written out and not yet released, so that a run after a crash does not write them again; needs -c and -i' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s D -l property -d 'Add a property to a packet (MQTT 5); may be repeated. COMMAND is connect, publish, will, subscribe, unsubscribe or disconnect; NAME is the standard\'s, such as content-type; user-property takes a KEY and a VALUE' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l subscription-identifier -d 'Number, 1 to 268435455, that the broker puts on each message it sends for these subscriptions; --json and -F %S show it' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l subscribe-user-property -d 'User property of the SUBSCRIBE; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l unsubscribe-user-property -d 'User property of the UNSUBSCRIBE; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l receive-maximum -d 'Most QoS 1 and 2 messages the broker may send before they are acknowledged [default: 65535]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l topic-alias-maximum -d 'How many topic aliases the broker may use [default: 0]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l request-response-information -d 'Whether to ask the broker what response topics are to begin with (shown with -d)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l request-problem-information -d 'Whether the broker may send reason strings and user properties with its answers [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l connect-user-property -d 'User property of the CONNECT; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l disconnect-session-expiry -d 'At the end, change how long the broker keeps the session, as with -x' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l disconnect-reason -d 'Reason string of the DISCONNECT' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l disconnect-user-property -d 'User property of the DISCONNECT; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l will-delay -d 'How long the broker waits before it publishes the will, in whole seconds [default: 0]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l will-content-type -d 'Content type of the will' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l will-payload-format-indicator -d 'Whether the will\'s payload is bytes of any kind (0) or UTF-8 text (1)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l will-message-expiry -d 'How long the broker may keep the will, once published, for those it has not reached yet' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l will-response-topic -d 'Response topic of the will' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l will-correlation-data -d 'Correlation data of the will: text, or bytes as hex:… or base64:…' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l will-user-property -d 'User property of the will; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s h -l host -d 'Broker: host or IP address' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s p -l port -d 'Port; 8883 turns TLS on [default: 1883, or 8883]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s L -l url -d 'Broker as URL: mqtt[s]:// or ws[s]://[USER@]HOST[:PORT]' -r -f
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l name-server -d 'Name server to ask with -S, an IP address with :PORT if need be; may be repeated [default: the system\'s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l unix -d 'Unix socket of the broker, in place of host and port' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l ws-path -d 'Path of the WebSocket, with its query [default: /mqtt]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l ws-header -d 'Further header of the WebSocket\'s request, \'NAME: VALUE\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l proxy -d 'Proxy to go through: socks5h://[USER:PASSWORD@]HOST[:PORT], socks5:// (the broker\'s name is looked up here), http://, or env for the one that ALL_PROXY and NO_PROXY choose' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s A -l bind-address -d 'Local IP address to connect from' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s u -l username -d 'User name' -r -f -a "(__fish_complete_users)"
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s P -l password -l pw -d 'Password; see --password-file and --password-prompt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l password-file -d 'File that holds the password; a line feed at its end and a byte-order mark are not part of it' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l password-command -d 'Command that writes the password to its standard output, run by the shell; it may take as long as --connect-timeout says, but no longer than the run may, and is ended then with all that it has started. In a file that another user owns or can write it is refused' -r -f -a "(__fish_complete_command)"
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l auth-method -d 'Authentication method (MQTT 5): SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512 with -u and a password, which is never sent; or any other with --auth-data' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l auth-data -d 'Authentication data (MQTT 5): text, or bytes as hex:… or base64:…; may be repeated, each further one answers one question of the broker' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l reauthenticate -d 'Authenticate again whenever this time has passed, on the same connection (MQTT 5)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s i -l client-id -l id -d 'Client identifier [default: the broker assigns one]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s I -l id-prefix -d 'Client identifier of this prefix and the process identifier' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s V -l protocol-version -d 'Version of MQTT; auto is 5, or 3.1.1 if the broker refuses 5 or has not answered it after 3 s, or 3.1 if it refuses 3.1.1 too. mqttv31, mqttv311 and mqttv5 mean the same as 31, 311 and 5' -r -f -a "auto\t'MQTT 5, and 3.1.1 if the broker refuses the version'
31\t'MQTT 3.1'
311\t'MQTT 3.1.1'
5\t'MQTT 5'"
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s k -l keepalive -d 'Keep Alive: test the link after this silence, in whole seconds; 0 turns it off' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s x -l session-expiry -d 'How long the broker keeps the session after the connection ends, or never for ever (MQTT 5) [default: 0, with -c never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s M -l max-inflight -d 'Most QoS 1 and 2 messages sent and not yet acknowledged' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l max-packet-size -d 'Largest packet accepted from the broker, such as 64k (64000) or 64Ki (65536 bytes); a message may take twice that in memory' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l connect-timeout -d 'Limit for connecting, and again for the answer to CONNECT. Where the command ends by itself and has no -W, also for each further answer: to a PUBLISH of pub (not with -l), to SUBSCRIBE, and to the PINGREQ after the last QoS 0 message' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l reconnect -d 'When the link is lost: never, always, or how many attempts in a row may fail. Refused credentials, an untrusted certificate and three hang-ups on the same packet end the run all the same [default: always for sub and pub -l, 10 for retain-clear, else never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l reconnect-max-delay -d 'Longest pause between two attempts to reconnect' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l wait-for-server -d 'For how long to try to make the first connection; 0 is one attempt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l profile -d 'Profile of the configuration file to take options from [default: the one that its default-profile names]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l config -d 'Configuration file [default: ~/.config/mqtt/config.toml]' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s o -l options-file -d 'File of options as mosquitto\'s clients have them: one a line, its value behind it after a blank, tabs or =' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l cafile -d 'Trust the certificate authorities in this PEM file; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l capath -d 'Trust the certificate authorities in the PEM files of this directory; turns TLS on' -r -f -a "(__fish_complete_directories)"
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l cert -d 'Client certificate to show, a PEM file with its chain; needs --key; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l key -d 'Private key of the client certificate, a PEM file (PKCS#8, PKCS#1 or SEC1)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l key-password-file -d 'File that holds the password of an encrypted private key (PKCS#8)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l tls-alpn -d 'Application protocol to ask for (ALPN); several by commas, preferred first' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l tls-server-name -d 'Name to send (SNI) and to find in the broker\'s certificate, where it is not the host' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l tls-version -d 'Speak only this version of TLS: tlsv1.2 or tlsv1.3 [default: the newest both know]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l ciphers -d 'Cipher suites to allow, preferred first, by IANA\'s or OpenSSL\'s names, with colons between' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l tls-pin -d 'Public key that the broker has to have, besides a certificate in order: sha256: and its SHA-256 in Base64 or hexadecimal; may be repeated, one has to fit' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l crl -d 'Certificate revocation lists to apply, a PEM file; may be repeated. One that cannot be read is an error' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l tls-keylog -d 'Append the session keys to this file, with which a capture of the traffic can be read; env takes the name from SSLKEYLOGFILE' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l psk -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l psk-identity -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l tls-engine -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l tls-engine-kpass-sha1 -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l keyform -d 'Only pem is available' -r -f -a "pem\t''
engine\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l will-topic -d 'Topic of the message that the broker publishes if this client is lost' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l will-payload -d 'Payload of the will, at most 65,535 bytes [default: empty]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l will-qos -d 'QoS of the will [default: 0]' -r -f -a "0\t''
1\t''
2\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l json-events -d 'Write everything on standard error as JSON, one object a line, packets as with -d included; with =state changes of state, warnings and errors only. Usage errors, which come before, stay text' -r -f -a "all\t''
state\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l color -d 'Colour: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l no-local -d 'Do not receive what this client published itself (MQTT 5)'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l retain-as-published -d 'Show live messages with the retain flag they were published with (MQTT 5)'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s E -d 'Leave once the broker has acknowledged the subscriptions'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s R -d 'Show no retained messages'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l retained-only -d 'Show retained messages only, then leave'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l on-change -d 'Show a message only if its payload differs from the last one shown of its topic'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l remove-retained -d 'Clear each retained message on the broker once it is written out'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l message-rate -d 'Write how many messages came, once a second, and not the messages'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s w -l watch -d 'Show the latest message of each topic on a line of its own, in place, on a terminal'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s v -l verbose -d 'Write the topic and a space before each payload'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s N -d 'Write no line feed after a message'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l json -d 'Write each message as a JSON object on a line of its own'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l pretty -d 'Indent the JSON of --json or -F over several lines, down to 32 levels of nesting; deeper values stay on one line'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l exec-argv -d 'As --exec, without a shell: the words after -- are the program and its arguments'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s S -l srv -d 'Take the host for a domain and ask DNS for its brokers, the service records of _mqtt._tcp or, with TLS, _secure-mqtt._tcp'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l ws -d 'Speak MQTT in a WebSocket, as ws:// and wss:// in -L do'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l nodelay -d 'Send small packets at once; always on, and taken for mosquitto\'s sake'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l password-prompt -d 'Ask for the password on the terminal, without showing it'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s c -l disable-clean-session -d 'Go on with the session of an earlier connection and keep it; needs -i'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l follow-redirect -d 'Go where a broker sends its clients, with the same options and credentials (MQTT 5): at most 5 times in a row, and to at most 20 brokers'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l tls-use-os-certs -d 'Trust the operating system\'s certificate authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name; turns TLS on. The default where TLS is on without --cafile and --capath'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l insecure -d 'Accept any broker: neither certificate nor host name is verified'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l no-tls -d 'Connect without TLS, whatever other options say'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l will-retain -d 'Retain the will'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -s d -l debug -d 'Show every packet sent and received, on standard error'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l quiet -d 'Say nothing on standard error but usage errors; the exit status tells how it went'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l log-time -d 'Begin each line on standard error with the time: RFC 3339, UTC, milliseconds. --json-events has it anyway'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand sub" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s t -l topic -d 'Topic to publish the request to' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s e -d 'Topic to expect the response on [default: one of its own (MQTT 5)]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s q -l qos -d 'QoS of the request, and the highest of the response: 0, 1 or 2' -r -f -a "0\t''
1\t''
2\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s W -d 'Leave after this time, with exit status 27' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s m -l message -d 'This text' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s f -l file -d 'The content of this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s F -l format -d 'Write each message in this format: %t topic, %p payload, %j JSON, \\n line feed' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s D -l property -d 'Add a property to a packet (MQTT 5); may be repeated. COMMAND is connect, publish, will, subscribe, unsubscribe or disconnect; NAME is the standard\'s, such as content-type; user-property takes a KEY and a VALUE' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l content-type -d 'Content type of the message, such as text/plain' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l payload-format-indicator -d 'Whether the payload is bytes of any kind (0) or UTF-8 text (1)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l message-expiry -d 'How long the broker may keep the message for those it has not reached yet, in whole seconds' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l response-topic -d 'Topic that an answer is expected on' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l correlation-data -d 'What the answer is to be known by: text, or bytes as hex:… or base64:…' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l user-property -d 'User property of the message; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l subscription-identifier -d 'Number, 1 to 268435455, that the broker puts on each message it sends for these subscriptions; --json and -F %S show it' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l subscribe-user-property -d 'User property of the SUBSCRIBE; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l receive-maximum -d 'Most QoS 1 and 2 messages the broker may send before they are acknowledged [default: 65535]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l topic-alias-maximum -d 'How many topic aliases the broker may use [default: 0]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l request-response-information -d 'Whether to ask the broker what response topics are to begin with (shown with -d)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l request-problem-information -d 'Whether the broker may send reason strings and user properties with its answers [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l connect-user-property -d 'User property of the CONNECT; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l disconnect-session-expiry -d 'At the end, change how long the broker keeps the session, as with -x' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l disconnect-reason -d 'Reason string of the DISCONNECT' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l disconnect-user-property -d 'User property of the DISCONNECT; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l will-delay -d 'How long the broker waits before it publishes the will, in whole seconds [default: 0]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l will-content-type -d 'Content type of the will' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l will-payload-format-indicator -d 'Whether the will\'s payload is bytes of any kind (0) or UTF-8 text (1)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l will-message-expiry -d 'How long the broker may keep the will, once published, for those it has not reached yet' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l will-response-topic -d 'Response topic of the will' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l will-correlation-data -d 'Correlation data of the will: text, or bytes as hex:… or base64:…' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l will-user-property -d 'User property of the will; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s h -l host -d 'Broker: host or IP address' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s p -l port -d 'Port; 8883 turns TLS on [default: 1883, or 8883]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s L -l url -d 'Broker as URL: mqtt[s]:// or ws[s]://[USER@]HOST[:PORT]' -r -f
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l name-server -d 'Name server to ask with -S, an IP address with :PORT if need be; may be repeated [default: the system\'s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l unix -d 'Unix socket of the broker, in place of host and port' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l ws-path -d 'Path of the WebSocket, with its query [default: /mqtt]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l ws-header -d 'Further header of the WebSocket\'s request, \'NAME: VALUE\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l proxy -d 'Proxy to go through: socks5h://[USER:PASSWORD@]HOST[:PORT], socks5:// (the broker\'s name is looked up here), http://, or env for the one that ALL_PROXY and NO_PROXY choose' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s A -l bind-address -d 'Local IP address to connect from' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s u -l username -d 'User name' -r -f -a "(__fish_complete_users)"
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s P -l password -l pw -d 'Password; see --password-file and --password-prompt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l password-file -d 'File that holds the password; a line feed at its end and a byte-order mark are not part of it' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l password-command -d 'Command that writes the password to its standard output, run by the shell; it may take as long as --connect-timeout says, but no longer than the run may, and is ended then with all that it has started. In a file that another user owns or can write it is refused' -r -f -a "(__fish_complete_command)"
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l auth-method -d 'Authentication method (MQTT 5): SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512 with -u and a password, which is never sent; or any other with --auth-data' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l auth-data -d 'Authentication data (MQTT 5): text, or bytes as hex:… or base64:…; may be repeated, each further one answers one question of the broker' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l reauthenticate -d 'Authenticate again whenever this time has passed, on the same connection (MQTT 5)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s i -l client-id -l id -d 'Client identifier [default: the broker assigns one]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s I -l id-prefix -d 'Client identifier of this prefix and the process identifier' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s V -l protocol-version -d 'Version of MQTT; auto is 5, or 3.1.1 if the broker refuses 5 or has not answered it after 3 s, or 3.1 if it refuses 3.1.1 too. mqttv31, mqttv311 and mqttv5 mean the same as 31, 311 and 5' -r -f -a "auto\t'MQTT 5, and 3.1.1 if the broker refuses the version'
31\t'MQTT 3.1'
311\t'MQTT 3.1.1'
5\t'MQTT 5'"
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s k -l keepalive -d 'Keep Alive: test the link after this silence, in whole seconds; 0 turns it off' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s x -l session-expiry -d 'How long the broker keeps the session after the connection ends, or never for ever (MQTT 5) [default: 0, with -c never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s M -l max-inflight -d 'Most QoS 1 and 2 messages sent and not yet acknowledged' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l max-packet-size -d 'Largest packet accepted from the broker, such as 64k (64000) or 64Ki (65536 bytes); a message may take twice that in memory' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l connect-timeout -d 'Limit for connecting, and again for the answer to CONNECT. Where the command ends by itself and has no -W, also for each further answer: to a PUBLISH of pub (not with -l), to SUBSCRIBE, and to the PINGREQ after the last QoS 0 message' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l reconnect -d 'When the link is lost: never, always, or how many attempts in a row may fail. Refused credentials, an untrusted certificate and three hang-ups on the same packet end the run all the same [default: always for sub and pub -l, 10 for retain-clear, else never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l reconnect-max-delay -d 'Longest pause between two attempts to reconnect' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l wait-for-server -d 'For how long to try to make the first connection; 0 is one attempt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l profile -d 'Profile of the configuration file to take options from [default: the one that its default-profile names]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l config -d 'Configuration file [default: ~/.config/mqtt/config.toml]' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s o -l options-file -d 'File of options as mosquitto\'s clients have them: one a line, its value behind it after a blank, tabs or =' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l cafile -d 'Trust the certificate authorities in this PEM file; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l capath -d 'Trust the certificate authorities in the PEM files of this directory; turns TLS on' -r -f -a "(__fish_complete_directories)"
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l cert -d 'Client certificate to show, a PEM file with its chain; needs --key; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l key -d 'Private key of the client certificate, a PEM file (PKCS#8, PKCS#1 or SEC1)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l key-password-file -d 'File that holds the password of an encrypted private key (PKCS#8)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l tls-alpn -d 'Application protocol to ask for (ALPN); several by commas, preferred first' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l tls-server-name -d 'Name to send (SNI) and to find in the broker\'s certificate, where it is not the host' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l tls-version -d 'Speak only this version of TLS: tlsv1.2 or tlsv1.3 [default: the newest both know]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l ciphers -d 'Cipher suites to allow, preferred first, by IANA\'s or OpenSSL\'s names, with colons between' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l tls-pin -d 'Public key that the broker has to have, besides a certificate in order: sha256: and its SHA-256 in Base64 or hexadecimal; may be repeated, one has to fit' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l crl -d 'Certificate revocation lists to apply, a PEM file; may be repeated. One that cannot be read is an error' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l tls-keylog -d 'Append the session keys to this file, with which a capture of the traffic can be read; env takes the name from SSLKEYLOGFILE' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l psk -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l psk-identity -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l tls-engine -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l tls-engine-kpass-sha1 -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l keyform -d 'Only pem is available' -r -f -a "pem\t''
engine\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l will-topic -d 'Topic of the message that the broker publishes if this client is lost' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l will-payload -d 'Payload of the will, at most 65,535 bytes [default: empty]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l will-qos -d 'QoS of the will [default: 0]' -r -f -a "0\t''
1\t''
2\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l json-events -d 'Write everything on standard error as JSON, one object a line, packets as with -d included; with =state changes of state, warnings and errors only. Usage errors, which come before, stay text' -r -f -a "all\t''
state\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l color -d 'Colour: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l latency -d 'Write how long the response took after the request, on a line of its own; with --json as an object'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s R -d 'No effect: a retained message is never taken for the response'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l retain-as-published -d 'Show the response with the retain flag it was published with (MQTT 5)'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s s -l stdin-file -d 'All of standard input'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s n -l null-message -d 'No payload'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s v -l verbose -d 'Write the topic and a space before each payload'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s N -d 'Write no line feed after a message'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l json -d 'Write each message as a JSON object on a line of its own'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l pretty -d 'Indent the JSON of --json or -F over several lines, down to 32 levels of nesting; deeper values stay on one line'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s S -l srv -d 'Take the host for a domain and ask DNS for its brokers, the service records of _mqtt._tcp or, with TLS, _secure-mqtt._tcp'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l ws -d 'Speak MQTT in a WebSocket, as ws:// and wss:// in -L do'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l nodelay -d 'Send small packets at once; always on, and taken for mosquitto\'s sake'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l password-prompt -d 'Ask for the password on the terminal, without showing it'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s c -l disable-clean-session -d 'Go on with the session of an earlier connection and keep it; needs -i'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l follow-redirect -d 'Go where a broker sends its clients, with the same options and credentials (MQTT 5): at most 5 times in a row, and to at most 20 brokers'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l tls-use-os-certs -d 'Trust the operating system\'s certificate authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name; turns TLS on. The default where TLS is on without --cafile and --capath'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l insecure -d 'Accept any broker: neither certificate nor host name is verified'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l no-tls -d 'Connect without TLS, whatever other options say'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l will-retain -d 'Retain the will'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -s d -l debug -d 'Show every packet sent and received, on standard error'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l quiet -d 'Say nothing on standard error but usage errors; the exit status tells how it went'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l log-time -d 'Begin each line on standard error with the time: RFC 3339, UTC, milliseconds. --json-events has it anyway'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand rr" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l publishers -d 'Clients that publish [default: 10]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l rate -d 'Messages a second of all publishers together, or max [default: 1k/s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l rate-per-client -d 'Messages a second of each publisher' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l arrivals -d 'How messages are spread over time: uniform, poisson or burst:COUNT [default: uniform]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l jitter -d 'Send each message later by a random time up to this' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l inflight -d 'Most QoS 1 and 2 messages of a client sent and not yet acknowledged [default: as -M]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l per-write -d 'With --rate max and QoS 0: most messages in one write [default: as many as fit]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l qos -d 'QoS of messages and subscriptions [default: 0]' -r -f -a "0\t''
1\t''
2\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l size -d 'Size of each payload, such as 16k [default: 64]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l payload -d 'Text behind the stamp; {client} and {sequence} are filled in' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l payload-file -d 'Content of this file behind the stamp' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l topics -d 'Topics each publisher goes through in turn [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l topic -d 'Topic, with {client} and {topic} as levels [default: bench/{client}/{topic}]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l drain -d 'Longest wait at the end for messages in flight [default: 5s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l subscribers -d 'Clients that subscribe [default: 10]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l pattern -d 'Who gets whose messages: pairs, all, fan-in or fan-out [default: pairs]' -r -f -a "pairs\t'Each message to one subscriber'
all\t'Every message to every subscriber'
fan-in\t'Many publishers, one subscriber'
fan-out\t'One publisher, many subscribers'"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l shared-groups -d 'Let the subscribers form this many shared-subscription groups, each of which gets every message once (MQTT 5)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l duration -d 'How long to measure [default: 10s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l count -d 'Measure this many messages of all publishers together, instead of a time' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l warmup -d 'Load that does not count, before the measurement [default: 0]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l calibration -d 'Report of an earlier calibrate --json; shows what share of it the load is' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l ramp -d 'New connections a second, such as 2k/s [default: as fast as they are made]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l credentials -d 'CSV file with a heading and a line for each client, publishers and requesters first: client_id, username, password, cert, key; files of certificates as seen from its folder. Lines without a client_id serve several clients if there are fewer lines than clients. The file has at most 256 MiB; only the lines of clients are kept in memory' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l local-addr -d 'Local addresses to connect from in turn, each with all of its ports' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l threads -d 'Threads to share the clients out to [default: one for each core]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l seed -d 'Seed of everything random, for the same load again [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l csv -d 'Write the figures of each second to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l html -d 'Write a page with charts to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l junit -d 'Write the thresholds as JUnit test cases to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l fail-if -d 'End with status 3 if this holds: \'p99 > 20ms\', \'loss > 0\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -s h -l host -d 'Broker: host or IP address' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -s p -l port -d 'Port; 8883 turns TLS on [default: 1883, or 8883]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -s L -l url -d 'Broker as URL: mqtt[s]:// or ws[s]://[USER@]HOST[:PORT]' -r -f
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l name-server -d 'Name server to ask with -S, an IP address with :PORT if need be; may be repeated [default: the system\'s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l unix -d 'Unix socket of the broker, in place of host and port' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l ws-path -d 'Path of the WebSocket, with its query [default: /mqtt]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l ws-header -d 'Further header of the WebSocket\'s request, \'NAME: VALUE\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l proxy -d 'Proxy to go through: socks5h://[USER:PASSWORD@]HOST[:PORT], socks5:// (the broker\'s name is looked up here), http://, or env for the one that ALL_PROXY and NO_PROXY choose' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -s A -l bind-address -d 'Local IP address to connect from' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -s u -l username -d 'User name' -r -f -a "(__fish_complete_users)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -s P -l password -l pw -d 'Password; see --password-file and --password-prompt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l password-file -d 'File that holds the password; a line feed at its end and a byte-order mark are not part of it' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l password-command -d 'Command that writes the password to its standard output, run by the shell; it may take as long as --connect-timeout says, but no longer than the run may, and is ended then with all that it has started. In a file that another user owns or can write it is refused' -r -f -a "(__fish_complete_command)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l auth-method -d 'Authentication method (MQTT 5): SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512 with -u and a password, which is never sent; or any other with --auth-data' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l auth-data -d 'Authentication data (MQTT 5): text, or bytes as hex:… or base64:…; may be repeated, each further one answers one question of the broker' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l reauthenticate -d 'Authenticate again whenever this time has passed, on the same connection (MQTT 5)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -s i -l client-id -l id -d 'Client identifier [default: the broker assigns one]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -s I -l id-prefix -d 'Client identifier of this prefix and the process identifier' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -s V -l protocol-version -d 'Version of MQTT; auto is 5, or 3.1.1 if the broker refuses 5 or has not answered it after 3 s, or 3.1 if it refuses 3.1.1 too. mqttv31, mqttv311 and mqttv5 mean the same as 31, 311 and 5' -r -f -a "auto\t'MQTT 5, and 3.1.1 if the broker refuses the version'
31\t'MQTT 3.1'
311\t'MQTT 3.1.1'
5\t'MQTT 5'"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -s k -l keepalive -d 'Keep Alive: test the link after this silence, in whole seconds; 0 turns it off' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -s x -l session-expiry -d 'How long the broker keeps the session after the connection ends, or never for ever (MQTT 5) [default: 0, with -c never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -s M -l max-inflight -d 'Most QoS 1 and 2 messages sent and not yet acknowledged' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l max-packet-size -d 'Largest packet accepted from the broker, such as 64k (64000) or 64Ki (65536 bytes); a message may take twice that in memory' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l connect-timeout -d 'Limit for connecting, and again for the answer to CONNECT. Where the command ends by itself and has no -W, also for each further answer: to a PUBLISH of pub (not with -l), to SUBSCRIBE, and to the PINGREQ after the last QoS 0 message' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l profile -d 'Profile of the configuration file to take options from [default: the one that its default-profile names]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l config -d 'Configuration file [default: ~/.config/mqtt/config.toml]' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -s o -l options-file -d 'File of options as mosquitto\'s clients have them: one a line, its value behind it after a blank, tabs or =' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l cafile -d 'Trust the certificate authorities in this PEM file; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l capath -d 'Trust the certificate authorities in the PEM files of this directory; turns TLS on' -r -f -a "(__fish_complete_directories)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l cert -d 'Client certificate to show, a PEM file with its chain; needs --key; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l key -d 'Private key of the client certificate, a PEM file (PKCS#8, PKCS#1 or SEC1)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l key-password-file -d 'File that holds the password of an encrypted private key (PKCS#8)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l tls-alpn -d 'Application protocol to ask for (ALPN); several by commas, preferred first' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l tls-server-name -d 'Name to send (SNI) and to find in the broker\'s certificate, where it is not the host' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l tls-version -d 'Speak only this version of TLS: tlsv1.2 or tlsv1.3 [default: the newest both know]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l ciphers -d 'Cipher suites to allow, preferred first, by IANA\'s or OpenSSL\'s names, with colons between' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l tls-pin -d 'Public key that the broker has to have, besides a certificate in order: sha256: and its SHA-256 in Base64 or hexadecimal; may be repeated, one has to fit' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l crl -d 'Certificate revocation lists to apply, a PEM file; may be repeated. One that cannot be read is an error' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l tls-keylog -d 'Append the session keys to this file, with which a capture of the traffic can be read; env takes the name from SSLKEYLOGFILE' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l psk -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l psk-identity -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l tls-engine -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l tls-engine-kpass-sha1 -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l keyform -d 'Only pem is available' -r -f -a "pem\t''
engine\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l color -d 'Colour: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l reconnect -d 'When the link is lost: never, always, or how many attempts in a row may fail. Refused credentials, an untrusted certificate and three hang-ups on the same packet end the run all the same [default: always for sub and pub -l, 10 for retain-clear, else never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l reconnect-max-delay -d 'Longest pause between two attempts to reconnect' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l wait-for-server -d 'For how long to try to make the first connection; 0 is one attempt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l embedded -d 'Start the broker of this program in a process of its own, and test that'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l json -d 'Write the report as one JSON object'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l allow-saturated -d 'Do not fail if the generator was the bottleneck'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -s S -l srv -d 'Take the host for a domain and ask DNS for its brokers, the service records of _mqtt._tcp or, with TLS, _secure-mqtt._tcp'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l ws -d 'Speak MQTT in a WebSocket, as ws:// and wss:// in -L do'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l nodelay -d 'Send small packets at once; always on, and taken for mosquitto\'s sake'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l password-prompt -d 'Ask for the password on the terminal, without showing it'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l follow-redirect -d 'Go where a broker sends its clients, with the same options and credentials (MQTT 5): at most 5 times in a row, and to at most 20 brokers'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l tls-use-os-certs -d 'Trust the operating system\'s certificate authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name; turns TLS on. The default where TLS is on without --cafile and --capath'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l insecure -d 'Accept any broker: neither certificate nor host name is verified'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l no-tls -d 'Connect without TLS, whatever other options say'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l quiet -d 'Say nothing on standard error but usage errors; the exit status tells how it went'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l log-time -d 'Begin each line on standard error with the time: RFC 3339, UTC, milliseconds. --json-events has it anyway'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -s c -l disable-clean-session -d 'Go on with the session of an earlier connection and keep it; needs -i'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -f -a "conn" -d 'Make connections that do nothing'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -f -a "pub" -d 'Publish, without subscribers'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -f -a "sub" -d 'Subscribe, to what other programs publish'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -f -a "e2e" -d 'Publish and receive: from publisher to subscriber'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -f -a "rr" -d 'Send requests and receive their responses: round trips'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -f -a "compare" -d 'Set reports side by side'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and not __fish_seen_subcommand_from conn pub sub e2e rr compare calibrate" -f -a "calibrate" -d 'Measure what this machine can generate'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l clients -d 'Clients [default: 100]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l hold -d 'How long to hold the connections [default: 1s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l duration -d 'Refused: it is --hold here' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l calibration -d 'Report of an earlier calibrate --json; shows what share of it the load is' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l ramp -d 'New connections a second, such as 2k/s [default: as fast as they are made]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l credentials -d 'CSV file with a heading and a line for each client, publishers and requesters first: client_id, username, password, cert, key; files of certificates as seen from its folder. Lines without a client_id serve several clients if there are fewer lines than clients. The file has at most 256 MiB; only the lines of clients are kept in memory' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l local-addr -d 'Local addresses to connect from in turn, each with all of its ports' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l threads -d 'Threads to share the clients out to [default: one for each core]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l seed -d 'Seed of everything random, for the same load again [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l csv -d 'Write the figures of each second to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l html -d 'Write a page with charts to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l junit -d 'Write the thresholds as JUnit test cases to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l fail-if -d 'End with status 3 if this holds: \'p99 > 20ms\', \'loss > 0\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -s h -l host -d 'Broker: host or IP address' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -s p -l port -d 'Port; 8883 turns TLS on [default: 1883, or 8883]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -s L -l url -d 'Broker as URL: mqtt[s]:// or ws[s]://[USER@]HOST[:PORT]' -r -f
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l name-server -d 'Name server to ask with -S, an IP address with :PORT if need be; may be repeated [default: the system\'s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l unix -d 'Unix socket of the broker, in place of host and port' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l ws-path -d 'Path of the WebSocket, with its query [default: /mqtt]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l ws-header -d 'Further header of the WebSocket\'s request, \'NAME: VALUE\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l proxy -d 'Proxy to go through: socks5h://[USER:PASSWORD@]HOST[:PORT], socks5:// (the broker\'s name is looked up here), http://, or env for the one that ALL_PROXY and NO_PROXY choose' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -s A -l bind-address -d 'Local IP address to connect from' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -s u -l username -d 'User name' -r -f -a "(__fish_complete_users)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -s P -l password -l pw -d 'Password; see --password-file and --password-prompt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l password-file -d 'File that holds the password; a line feed at its end and a byte-order mark are not part of it' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l password-command -d 'Command that writes the password to its standard output, run by the shell; it may take as long as --connect-timeout says, but no longer than the run may, and is ended then with all that it has started. In a file that another user owns or can write it is refused' -r -f -a "(__fish_complete_command)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l auth-method -d 'Authentication method (MQTT 5): SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512 with -u and a password, which is never sent; or any other with --auth-data' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l auth-data -d 'Authentication data (MQTT 5): text, or bytes as hex:… or base64:…; may be repeated, each further one answers one question of the broker' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l reauthenticate -d 'Authenticate again whenever this time has passed, on the same connection (MQTT 5)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -s i -l client-id -l id -d 'Client identifier [default: the broker assigns one]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -s I -l id-prefix -d 'Client identifier of this prefix and the process identifier' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -s V -l protocol-version -d 'Version of MQTT; auto is 5, or 3.1.1 if the broker refuses 5 or has not answered it after 3 s, or 3.1 if it refuses 3.1.1 too. mqttv31, mqttv311 and mqttv5 mean the same as 31, 311 and 5' -r -f -a "auto\t'MQTT 5, and 3.1.1 if the broker refuses the version'
31\t'MQTT 3.1'
311\t'MQTT 3.1.1'
5\t'MQTT 5'"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -s k -l keepalive -d 'Keep Alive: test the link after this silence, in whole seconds; 0 turns it off' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -s x -l session-expiry -d 'How long the broker keeps the session after the connection ends, or never for ever (MQTT 5) [default: 0, with -c never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -s M -l max-inflight -d 'Most QoS 1 and 2 messages sent and not yet acknowledged' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l max-packet-size -d 'Largest packet accepted from the broker, such as 64k (64000) or 64Ki (65536 bytes); a message may take twice that in memory' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l connect-timeout -d 'Limit for connecting, and again for the answer to CONNECT. Where the command ends by itself and has no -W, also for each further answer: to a PUBLISH of pub (not with -l), to SUBSCRIBE, and to the PINGREQ after the last QoS 0 message' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l profile -d 'Profile of the configuration file to take options from [default: the one that its default-profile names]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l config -d 'Configuration file [default: ~/.config/mqtt/config.toml]' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -s o -l options-file -d 'File of options as mosquitto\'s clients have them: one a line, its value behind it after a blank, tabs or =' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l cafile -d 'Trust the certificate authorities in this PEM file; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l capath -d 'Trust the certificate authorities in the PEM files of this directory; turns TLS on' -r -f -a "(__fish_complete_directories)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l cert -d 'Client certificate to show, a PEM file with its chain; needs --key; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l key -d 'Private key of the client certificate, a PEM file (PKCS#8, PKCS#1 or SEC1)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l key-password-file -d 'File that holds the password of an encrypted private key (PKCS#8)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l tls-alpn -d 'Application protocol to ask for (ALPN); several by commas, preferred first' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l tls-server-name -d 'Name to send (SNI) and to find in the broker\'s certificate, where it is not the host' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l tls-version -d 'Speak only this version of TLS: tlsv1.2 or tlsv1.3 [default: the newest both know]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l ciphers -d 'Cipher suites to allow, preferred first, by IANA\'s or OpenSSL\'s names, with colons between' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l tls-pin -d 'Public key that the broker has to have, besides a certificate in order: sha256: and its SHA-256 in Base64 or hexadecimal; may be repeated, one has to fit' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l crl -d 'Certificate revocation lists to apply, a PEM file; may be repeated. One that cannot be read is an error' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l tls-keylog -d 'Append the session keys to this file, with which a capture of the traffic can be read; env takes the name from SSLKEYLOGFILE' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l psk -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l psk-identity -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l tls-engine -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l tls-engine-kpass-sha1 -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l keyform -d 'Only pem is available' -r -f -a "pem\t''
engine\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l color -d 'Colour: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l reconnect -d 'When the link is lost: never, always, or how many attempts in a row may fail. Refused credentials, an untrusted certificate and three hang-ups on the same packet end the run all the same [default: always for sub and pub -l, 10 for retain-clear, else never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l reconnect-max-delay -d 'Longest pause between two attempts to reconnect' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l wait-for-server -d 'For how long to try to make the first connection; 0 is one attempt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l embedded -d 'Start the broker of this program in a process of its own, and test that'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l json -d 'Write the report as one JSON object'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l allow-saturated -d 'Do not fail if the generator was the bottleneck'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -s S -l srv -d 'Take the host for a domain and ask DNS for its brokers, the service records of _mqtt._tcp or, with TLS, _secure-mqtt._tcp'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l ws -d 'Speak MQTT in a WebSocket, as ws:// and wss:// in -L do'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l nodelay -d 'Send small packets at once; always on, and taken for mosquitto\'s sake'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l password-prompt -d 'Ask for the password on the terminal, without showing it'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l follow-redirect -d 'Go where a broker sends its clients, with the same options and credentials (MQTT 5): at most 5 times in a row, and to at most 20 brokers'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l tls-use-os-certs -d 'Trust the operating system\'s certificate authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name; turns TLS on. The default where TLS is on without --cafile and --capath'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l insecure -d 'Accept any broker: neither certificate nor host name is verified'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l no-tls -d 'Connect without TLS, whatever other options say'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l quiet -d 'Say nothing on standard error but usage errors; the exit status tells how it went'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l log-time -d 'Begin each line on standard error with the time: RFC 3339, UTC, milliseconds. --json-events has it anyway'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -s c -l disable-clean-session -d 'Go on with the session of an earlier connection and keep it; needs -i'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from conn" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l publishers -d 'Clients that publish [default: 10]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l rate -d 'Messages a second of all publishers together, or max [default: 1k/s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l rate-per-client -d 'Messages a second of each publisher' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l arrivals -d 'How messages are spread over time: uniform, poisson or burst:COUNT [default: uniform]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l jitter -d 'Send each message later by a random time up to this' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l inflight -d 'Most QoS 1 and 2 messages of a client sent and not yet acknowledged [default: as -M]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l per-write -d 'With --rate max and QoS 0: most messages in one write [default: as many as fit]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l qos -d 'QoS of messages and subscriptions [default: 0]' -r -f -a "0\t''
1\t''
2\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l size -d 'Size of each payload, such as 16k [default: 64]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l payload -d 'Text behind the stamp; {client} and {sequence} are filled in' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l payload-file -d 'Content of this file behind the stamp' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l topics -d 'Topics each publisher goes through in turn [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l topic -d 'Topic, with {client} and {topic} as levels [default: bench/{client}/{topic}]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l drain -d 'Longest wait at the end for messages in flight [default: 5s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l duration -d 'How long to measure [default: 10s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l count -d 'Measure this many messages of all publishers together, instead of a time' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l warmup -d 'Load that does not count, before the measurement [default: 0]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l calibration -d 'Report of an earlier calibrate --json; shows what share of it the load is' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l ramp -d 'New connections a second, such as 2k/s [default: as fast as they are made]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l credentials -d 'CSV file with a heading and a line for each client, publishers and requesters first: client_id, username, password, cert, key; files of certificates as seen from its folder. Lines without a client_id serve several clients if there are fewer lines than clients. The file has at most 256 MiB; only the lines of clients are kept in memory' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l local-addr -d 'Local addresses to connect from in turn, each with all of its ports' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l threads -d 'Threads to share the clients out to [default: one for each core]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l seed -d 'Seed of everything random, for the same load again [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l csv -d 'Write the figures of each second to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l html -d 'Write a page with charts to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l junit -d 'Write the thresholds as JUnit test cases to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l fail-if -d 'End with status 3 if this holds: \'p99 > 20ms\', \'loss > 0\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -s h -l host -d 'Broker: host or IP address' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -s p -l port -d 'Port; 8883 turns TLS on [default: 1883, or 8883]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -s L -l url -d 'Broker as URL: mqtt[s]:// or ws[s]://[USER@]HOST[:PORT]' -r -f
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l name-server -d 'Name server to ask with -S, an IP address with :PORT if need be; may be repeated [default: the system\'s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l unix -d 'Unix socket of the broker, in place of host and port' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l ws-path -d 'Path of the WebSocket, with its query [default: /mqtt]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l ws-header -d 'Further header of the WebSocket\'s request, \'NAME: VALUE\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l proxy -d 'Proxy to go through: socks5h://[USER:PASSWORD@]HOST[:PORT], socks5:// (the broker\'s name is looked up here), http://, or env for the one that ALL_PROXY and NO_PROXY choose' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -s A -l bind-address -d 'Local IP address to connect from' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -s u -l username -d 'User name' -r -f -a "(__fish_complete_users)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -s P -l password -l pw -d 'Password; see --password-file and --password-prompt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l password-file -d 'File that holds the password; a line feed at its end and a byte-order mark are not part of it' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l password-command -d 'Command that writes the password to its standard output, run by the shell; it may take as long as --connect-timeout says, but no longer than the run may, and is ended then with all that it has started. In a file that another user owns or can write it is refused' -r -f -a "(__fish_complete_command)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l auth-method -d 'Authentication method (MQTT 5): SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512 with -u and a password, which is never sent; or any other with --auth-data' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l auth-data -d 'Authentication data (MQTT 5): text, or bytes as hex:… or base64:…; may be repeated, each further one answers one question of the broker' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l reauthenticate -d 'Authenticate again whenever this time has passed, on the same connection (MQTT 5)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -s i -l client-id -l id -d 'Client identifier [default: the broker assigns one]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -s I -l id-prefix -d 'Client identifier of this prefix and the process identifier' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -s V -l protocol-version -d 'Version of MQTT; auto is 5, or 3.1.1 if the broker refuses 5 or has not answered it after 3 s, or 3.1 if it refuses 3.1.1 too. mqttv31, mqttv311 and mqttv5 mean the same as 31, 311 and 5' -r -f -a "auto\t'MQTT 5, and 3.1.1 if the broker refuses the version'
31\t'MQTT 3.1'
311\t'MQTT 3.1.1'
5\t'MQTT 5'"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -s k -l keepalive -d 'Keep Alive: test the link after this silence, in whole seconds; 0 turns it off' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -s x -l session-expiry -d 'How long the broker keeps the session after the connection ends, or never for ever (MQTT 5) [default: 0, with -c never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -s M -l max-inflight -d 'Most QoS 1 and 2 messages sent and not yet acknowledged' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l max-packet-size -d 'Largest packet accepted from the broker, such as 64k (64000) or 64Ki (65536 bytes); a message may take twice that in memory' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l connect-timeout -d 'Limit for connecting, and again for the answer to CONNECT. Where the command ends by itself and has no -W, also for each further answer: to a PUBLISH of pub (not with -l), to SUBSCRIBE, and to the PINGREQ after the last QoS 0 message' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l profile -d 'Profile of the configuration file to take options from [default: the one that its default-profile names]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l config -d 'Configuration file [default: ~/.config/mqtt/config.toml]' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -s o -l options-file -d 'File of options as mosquitto\'s clients have them: one a line, its value behind it after a blank, tabs or =' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l cafile -d 'Trust the certificate authorities in this PEM file; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l capath -d 'Trust the certificate authorities in the PEM files of this directory; turns TLS on' -r -f -a "(__fish_complete_directories)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l cert -d 'Client certificate to show, a PEM file with its chain; needs --key; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l key -d 'Private key of the client certificate, a PEM file (PKCS#8, PKCS#1 or SEC1)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l key-password-file -d 'File that holds the password of an encrypted private key (PKCS#8)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l tls-alpn -d 'Application protocol to ask for (ALPN); several by commas, preferred first' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l tls-server-name -d 'Name to send (SNI) and to find in the broker\'s certificate, where it is not the host' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l tls-version -d 'Speak only this version of TLS: tlsv1.2 or tlsv1.3 [default: the newest both know]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l ciphers -d 'Cipher suites to allow, preferred first, by IANA\'s or OpenSSL\'s names, with colons between' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l tls-pin -d 'Public key that the broker has to have, besides a certificate in order: sha256: and its SHA-256 in Base64 or hexadecimal; may be repeated, one has to fit' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l crl -d 'Certificate revocation lists to apply, a PEM file; may be repeated. One that cannot be read is an error' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l tls-keylog -d 'Append the session keys to this file, with which a capture of the traffic can be read; env takes the name from SSLKEYLOGFILE' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l psk -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l psk-identity -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l tls-engine -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l tls-engine-kpass-sha1 -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l keyform -d 'Only pem is available' -r -f -a "pem\t''
engine\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l color -d 'Colour: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l reconnect -d 'When the link is lost: never, always, or how many attempts in a row may fail. Refused credentials, an untrusted certificate and three hang-ups on the same packet end the run all the same [default: always for sub and pub -l, 10 for retain-clear, else never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l reconnect-max-delay -d 'Longest pause between two attempts to reconnect' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l wait-for-server -d 'For how long to try to make the first connection; 0 is one attempt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l embedded -d 'Start the broker of this program in a process of its own, and test that'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l json -d 'Write the report as one JSON object'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l allow-saturated -d 'Do not fail if the generator was the bottleneck'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -s S -l srv -d 'Take the host for a domain and ask DNS for its brokers, the service records of _mqtt._tcp or, with TLS, _secure-mqtt._tcp'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l ws -d 'Speak MQTT in a WebSocket, as ws:// and wss:// in -L do'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l nodelay -d 'Send small packets at once; always on, and taken for mosquitto\'s sake'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l password-prompt -d 'Ask for the password on the terminal, without showing it'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l follow-redirect -d 'Go where a broker sends its clients, with the same options and credentials (MQTT 5): at most 5 times in a row, and to at most 20 brokers'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l tls-use-os-certs -d 'Trust the operating system\'s certificate authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name; turns TLS on. The default where TLS is on without --cafile and --capath'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l insecure -d 'Accept any broker: neither certificate nor host name is verified'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l no-tls -d 'Connect without TLS, whatever other options say'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l quiet -d 'Say nothing on standard error but usage errors; the exit status tells how it went'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l log-time -d 'Begin each line on standard error with the time: RFC 3339, UTC, milliseconds. --json-events has it anyway'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -s c -l disable-clean-session -d 'Go on with the session of an earlier connection and keep it; needs -i'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from pub" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l subscribers -d 'Clients that subscribe [default: 10]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l qos -d 'QoS of the subscriptions [default: 0]' -r -f -a "0\t''
1\t''
2\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l topic -d 'Topic filter [default: bench/#]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l shared-groups -d 'Let the subscribers form this many shared-subscription groups, each of which gets every message once (MQTT 5)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l duration -d 'How long to measure [default: 10s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l warmup -d 'Load that does not count, before the measurement [default: 0]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l ramp -d 'New connections a second, such as 2k/s [default: as fast as they are made]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l credentials -d 'CSV file with a heading and a line for each client, publishers and requesters first: client_id, username, password, cert, key; files of certificates as seen from its folder. Lines without a client_id serve several clients if there are fewer lines than clients. The file has at most 256 MiB; only the lines of clients are kept in memory' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l local-addr -d 'Local addresses to connect from in turn, each with all of its ports' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l threads -d 'Threads to share the clients out to [default: one for each core]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l seed -d 'Seed of everything random, for the same load again [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l csv -d 'Write the figures of each second to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l html -d 'Write a page with charts to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l junit -d 'Write the thresholds as JUnit test cases to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l fail-if -d 'End with status 3 if this holds: \'p99 > 20ms\', \'loss > 0\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -s h -l host -d 'Broker: host or IP address' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -s p -l port -d 'Port; 8883 turns TLS on [default: 1883, or 8883]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -s L -l url -d 'Broker as URL: mqtt[s]:// or ws[s]://[USER@]HOST[:PORT]' -r -f
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l name-server -d 'Name server to ask with -S, an IP address with :PORT if need be; may be repeated [default: the system\'s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l unix -d 'Unix socket of the broker, in place of host and port' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l ws-path -d 'Path of the WebSocket, with its query [default: /mqtt]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l ws-header -d 'Further header of the WebSocket\'s request, \'NAME: VALUE\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l proxy -d 'Proxy to go through: socks5h://[USER:PASSWORD@]HOST[:PORT], socks5:// (the broker\'s name is looked up here), http://, or env for the one that ALL_PROXY and NO_PROXY choose' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -s A -l bind-address -d 'Local IP address to connect from' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -s u -l username -d 'User name' -r -f -a "(__fish_complete_users)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -s P -l password -l pw -d 'Password; see --password-file and --password-prompt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l password-file -d 'File that holds the password; a line feed at its end and a byte-order mark are not part of it' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l password-command -d 'Command that writes the password to its standard output, run by the shell; it may take as long as --connect-timeout says, but no longer than the run may, and is ended then with all that it has started. In a file that another user owns or can write it is refused' -r -f -a "(__fish_complete_command)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l auth-method -d 'Authentication method (MQTT 5): SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512 with -u and a password, which is never sent; or any other with --auth-data' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l auth-data -d 'Authentication data (MQTT 5): text, or bytes as hex:… or base64:…; may be repeated, each further one answers one question of the broker' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l reauthenticate -d 'Authenticate again whenever this time has passed, on the same connection (MQTT 5)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -s i -l client-id -l id -d 'Client identifier [default: the broker assigns one]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -s I -l id-prefix -d 'Client identifier of this prefix and the process identifier' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -s V -l protocol-version -d 'Version of MQTT; auto is 5, or 3.1.1 if the broker refuses 5 or has not answered it after 3 s, or 3.1 if it refuses 3.1.1 too. mqttv31, mqttv311 and mqttv5 mean the same as 31, 311 and 5' -r -f -a "auto\t'MQTT 5, and 3.1.1 if the broker refuses the version'
31\t'MQTT 3.1'
311\t'MQTT 3.1.1'
5\t'MQTT 5'"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -s k -l keepalive -d 'Keep Alive: test the link after this silence, in whole seconds; 0 turns it off' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -s x -l session-expiry -d 'How long the broker keeps the session after the connection ends, or never for ever (MQTT 5) [default: 0, with -c never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -s M -l max-inflight -d 'Most QoS 1 and 2 messages sent and not yet acknowledged' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l max-packet-size -d 'Largest packet accepted from the broker, such as 64k (64000) or 64Ki (65536 bytes); a message may take twice that in memory' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l connect-timeout -d 'Limit for connecting, and again for the answer to CONNECT. Where the command ends by itself and has no -W, also for each further answer: to a PUBLISH of pub (not with -l), to SUBSCRIBE, and to the PINGREQ after the last QoS 0 message' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l profile -d 'Profile of the configuration file to take options from [default: the one that its default-profile names]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l config -d 'Configuration file [default: ~/.config/mqtt/config.toml]' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -s o -l options-file -d 'File of options as mosquitto\'s clients have them: one a line, its value behind it after a blank, tabs or =' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l cafile -d 'Trust the certificate authorities in this PEM file; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l capath -d 'Trust the certificate authorities in the PEM files of this directory; turns TLS on' -r -f -a "(__fish_complete_directories)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l cert -d 'Client certificate to show, a PEM file with its chain; needs --key; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l key -d 'Private key of the client certificate, a PEM file (PKCS#8, PKCS#1 or SEC1)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l key-password-file -d 'File that holds the password of an encrypted private key (PKCS#8)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l tls-alpn -d 'Application protocol to ask for (ALPN); several by commas, preferred first' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l tls-server-name -d 'Name to send (SNI) and to find in the broker\'s certificate, where it is not the host' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l tls-version -d 'Speak only this version of TLS: tlsv1.2 or tlsv1.3 [default: the newest both know]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l ciphers -d 'Cipher suites to allow, preferred first, by IANA\'s or OpenSSL\'s names, with colons between' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l tls-pin -d 'Public key that the broker has to have, besides a certificate in order: sha256: and its SHA-256 in Base64 or hexadecimal; may be repeated, one has to fit' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l crl -d 'Certificate revocation lists to apply, a PEM file; may be repeated. One that cannot be read is an error' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l tls-keylog -d 'Append the session keys to this file, with which a capture of the traffic can be read; env takes the name from SSLKEYLOGFILE' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l psk -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l psk-identity -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l tls-engine -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l tls-engine-kpass-sha1 -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l keyform -d 'Only pem is available' -r -f -a "pem\t''
engine\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l color -d 'Colour: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l reconnect -d 'When the link is lost: never, always, or how many attempts in a row may fail. Refused credentials, an untrusted certificate and three hang-ups on the same packet end the run all the same [default: always for sub and pub -l, 10 for retain-clear, else never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l reconnect-max-delay -d 'Longest pause between two attempts to reconnect' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l wait-for-server -d 'For how long to try to make the first connection; 0 is one attempt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l count -d 'Measure this many messages, instead of a time' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l embedded -d 'Start the broker of this program in a process of its own, and test that'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l json -d 'Write the report as one JSON object'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l allow-saturated -d 'Do not fail if the generator was the bottleneck'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -s S -l srv -d 'Take the host for a domain and ask DNS for its brokers, the service records of _mqtt._tcp or, with TLS, _secure-mqtt._tcp'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l ws -d 'Speak MQTT in a WebSocket, as ws:// and wss:// in -L do'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l nodelay -d 'Send small packets at once; always on, and taken for mosquitto\'s sake'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l password-prompt -d 'Ask for the password on the terminal, without showing it'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l follow-redirect -d 'Go where a broker sends its clients, with the same options and credentials (MQTT 5): at most 5 times in a row, and to at most 20 brokers'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l tls-use-os-certs -d 'Trust the operating system\'s certificate authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name; turns TLS on. The default where TLS is on without --cafile and --capath'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l insecure -d 'Accept any broker: neither certificate nor host name is verified'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l no-tls -d 'Connect without TLS, whatever other options say'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l quiet -d 'Say nothing on standard error but usage errors; the exit status tells how it went'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l log-time -d 'Begin each line on standard error with the time: RFC 3339, UTC, milliseconds. --json-events has it anyway'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -s c -l disable-clean-session -d 'Go on with the session of an earlier connection and keep it; needs -i'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from sub" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l publishers -d 'Clients that publish [default: 10]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l rate -d 'Messages a second of all publishers together, or max [default: 1k/s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l rate-per-client -d 'Messages a second of each publisher' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l arrivals -d 'How messages are spread over time: uniform, poisson or burst:COUNT [default: uniform]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l jitter -d 'Send each message later by a random time up to this' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l inflight -d 'Most QoS 1 and 2 messages of a client sent and not yet acknowledged [default: as -M]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l per-write -d 'With --rate max and QoS 0: most messages in one write [default: as many as fit]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l qos -d 'QoS of messages and subscriptions [default: 0]' -r -f -a "0\t''
1\t''
2\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l size -d 'Size of each payload, such as 16k [default: 64]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l payload -d 'Text behind the stamp; {client} and {sequence} are filled in' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l payload-file -d 'Content of this file behind the stamp' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l topics -d 'Topics each publisher goes through in turn [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l topic -d 'Topic, with {client} and {topic} as levels [default: bench/{client}/{topic}]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l drain -d 'Longest wait at the end for messages in flight [default: 5s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l subscribers -d 'Clients that subscribe [default: 10]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l pattern -d 'Who gets whose messages: pairs, all, fan-in or fan-out [default: pairs]' -r -f -a "pairs\t'Each message to one subscriber'
all\t'Every message to every subscriber'
fan-in\t'Many publishers, one subscriber'
fan-out\t'One publisher, many subscribers'"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l shared-groups -d 'Let the subscribers form this many shared-subscription groups, each of which gets every message once (MQTT 5)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l duration -d 'How long to measure [default: 10s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l count -d 'Measure this many messages of all publishers together, instead of a time' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l warmup -d 'Load that does not count, before the measurement [default: 0]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l calibration -d 'Report of an earlier calibrate --json; shows what share of it the load is' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l ramp -d 'New connections a second, such as 2k/s [default: as fast as they are made]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l credentials -d 'CSV file with a heading and a line for each client, publishers and requesters first: client_id, username, password, cert, key; files of certificates as seen from its folder. Lines without a client_id serve several clients if there are fewer lines than clients. The file has at most 256 MiB; only the lines of clients are kept in memory' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l local-addr -d 'Local addresses to connect from in turn, each with all of its ports' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l threads -d 'Threads to share the clients out to [default: one for each core]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l seed -d 'Seed of everything random, for the same load again [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l csv -d 'Write the figures of each second to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l html -d 'Write a page with charts to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l junit -d 'Write the thresholds as JUnit test cases to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l fail-if -d 'End with status 3 if this holds: \'p99 > 20ms\', \'loss > 0\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -s h -l host -d 'Broker: host or IP address' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -s p -l port -d 'Port; 8883 turns TLS on [default: 1883, or 8883]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -s L -l url -d 'Broker as URL: mqtt[s]:// or ws[s]://[USER@]HOST[:PORT]' -r -f
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l name-server -d 'Name server to ask with -S, an IP address with :PORT if need be; may be repeated [default: the system\'s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l unix -d 'Unix socket of the broker, in place of host and port' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l ws-path -d 'Path of the WebSocket, with its query [default: /mqtt]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l ws-header -d 'Further header of the WebSocket\'s request, \'NAME: VALUE\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l proxy -d 'Proxy to go through: socks5h://[USER:PASSWORD@]HOST[:PORT], socks5:// (the broker\'s name is looked up here), http://, or env for the one that ALL_PROXY and NO_PROXY choose' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -s A -l bind-address -d 'Local IP address to connect from' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -s u -l username -d 'User name' -r -f -a "(__fish_complete_users)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -s P -l password -l pw -d 'Password; see --password-file and --password-prompt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l password-file -d 'File that holds the password; a line feed at its end and a byte-order mark are not part of it' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l password-command -d 'Command that writes the password to its standard output, run by the shell; it may take as long as --connect-timeout says, but no longer than the run may, and is ended then with all that it has started. In a file that another user owns or can write it is refused' -r -f -a "(__fish_complete_command)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l auth-method -d 'Authentication method (MQTT 5): SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512 with -u and a password, which is never sent; or any other with --auth-data' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l auth-data -d 'Authentication data (MQTT 5): text, or bytes as hex:… or base64:…; may be repeated, each further one answers one question of the broker' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l reauthenticate -d 'Authenticate again whenever this time has passed, on the same connection (MQTT 5)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -s i -l client-id -l id -d 'Client identifier [default: the broker assigns one]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -s I -l id-prefix -d 'Client identifier of this prefix and the process identifier' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -s V -l protocol-version -d 'Version of MQTT; auto is 5, or 3.1.1 if the broker refuses 5 or has not answered it after 3 s, or 3.1 if it refuses 3.1.1 too. mqttv31, mqttv311 and mqttv5 mean the same as 31, 311 and 5' -r -f -a "auto\t'MQTT 5, and 3.1.1 if the broker refuses the version'
31\t'MQTT 3.1'
311\t'MQTT 3.1.1'
5\t'MQTT 5'"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -s k -l keepalive -d 'Keep Alive: test the link after this silence, in whole seconds; 0 turns it off' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -s x -l session-expiry -d 'How long the broker keeps the session after the connection ends, or never for ever (MQTT 5) [default: 0, with -c never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -s M -l max-inflight -d 'Most QoS 1 and 2 messages sent and not yet acknowledged' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l max-packet-size -d 'Largest packet accepted from the broker, such as 64k (64000) or 64Ki (65536 bytes); a message may take twice that in memory' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l connect-timeout -d 'Limit for connecting, and again for the answer to CONNECT. Where the command ends by itself and has no -W, also for each further answer: to a PUBLISH of pub (not with -l), to SUBSCRIBE, and to the PINGREQ after the last QoS 0 message' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l profile -d 'Profile of the configuration file to take options from [default: the one that its default-profile names]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l config -d 'Configuration file [default: ~/.config/mqtt/config.toml]' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -s o -l options-file -d 'File of options as mosquitto\'s clients have them: one a line, its value behind it after a blank, tabs or =' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l cafile -d 'Trust the certificate authorities in this PEM file; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l capath -d 'Trust the certificate authorities in the PEM files of this directory; turns TLS on' -r -f -a "(__fish_complete_directories)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l cert -d 'Client certificate to show, a PEM file with its chain; needs --key; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l key -d 'Private key of the client certificate, a PEM file (PKCS#8, PKCS#1 or SEC1)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l key-password-file -d 'File that holds the password of an encrypted private key (PKCS#8)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l tls-alpn -d 'Application protocol to ask for (ALPN); several by commas, preferred first' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l tls-server-name -d 'Name to send (SNI) and to find in the broker\'s certificate, where it is not the host' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l tls-version -d 'Speak only this version of TLS: tlsv1.2 or tlsv1.3 [default: the newest both know]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l ciphers -d 'Cipher suites to allow, preferred first, by IANA\'s or OpenSSL\'s names, with colons between' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l tls-pin -d 'Public key that the broker has to have, besides a certificate in order: sha256: and its SHA-256 in Base64 or hexadecimal; may be repeated, one has to fit' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l crl -d 'Certificate revocation lists to apply, a PEM file; may be repeated. One that cannot be read is an error' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l tls-keylog -d 'Append the session keys to this file, with which a capture of the traffic can be read; env takes the name from SSLKEYLOGFILE' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l psk -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l psk-identity -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l tls-engine -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l tls-engine-kpass-sha1 -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l keyform -d 'Only pem is available' -r -f -a "pem\t''
engine\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l color -d 'Colour: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l reconnect -d 'When the link is lost: never, always, or how many attempts in a row may fail. Refused credentials, an untrusted certificate and three hang-ups on the same packet end the run all the same [default: always for sub and pub -l, 10 for retain-clear, else never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l reconnect-max-delay -d 'Longest pause between two attempts to reconnect' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l wait-for-server -d 'For how long to try to make the first connection; 0 is one attempt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l embedded -d 'Start the broker of this program in a process of its own, and test that'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l json -d 'Write the report as one JSON object'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l allow-saturated -d 'Do not fail if the generator was the bottleneck'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -s S -l srv -d 'Take the host for a domain and ask DNS for its brokers, the service records of _mqtt._tcp or, with TLS, _secure-mqtt._tcp'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l ws -d 'Speak MQTT in a WebSocket, as ws:// and wss:// in -L do'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l nodelay -d 'Send small packets at once; always on, and taken for mosquitto\'s sake'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l password-prompt -d 'Ask for the password on the terminal, without showing it'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l follow-redirect -d 'Go where a broker sends its clients, with the same options and credentials (MQTT 5): at most 5 times in a row, and to at most 20 brokers'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l tls-use-os-certs -d 'Trust the operating system\'s certificate authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name; turns TLS on. The default where TLS is on without --cafile and --capath'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l insecure -d 'Accept any broker: neither certificate nor host name is verified'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l no-tls -d 'Connect without TLS, whatever other options say'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l quiet -d 'Say nothing on standard error but usage errors; the exit status tells how it went'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l log-time -d 'Begin each line on standard error with the time: RFC 3339, UTC, milliseconds. --json-events has it anyway'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -s c -l disable-clean-session -d 'Go on with the session of an earlier connection and keep it; needs -i'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from e2e" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l rate -d 'Messages a second of all publishers together, or max [default: 1k/s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l rate-per-client -d 'Messages a second of each publisher' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l arrivals -d 'How messages are spread over time: uniform, poisson or burst:COUNT [default: uniform]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l jitter -d 'Send each message later by a random time up to this' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l per-write -d 'With --rate max and QoS 0: most messages in one write [default: as many as fit]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l qos -d 'QoS of messages and subscriptions [default: 0]' -r -f -a "0\t''
1\t''
2\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l size -d 'Size of each payload, such as 16k [default: 64]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l payload -d 'Text behind the stamp; {client} and {sequence} are filled in' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l payload-file -d 'Content of this file behind the stamp' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l topics -d 'Topics each publisher goes through in turn [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l drain -d 'Longest wait at the end for messages in flight [default: 5s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l subscribers -d 'Clients that respond [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l duration -d 'How long to measure [default: 10s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l count -d 'Measure this many messages of all publishers together, instead of a time' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l warmup -d 'Load that does not count, before the measurement [default: 0]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l calibration -d 'Report of an earlier calibrate --json; shows what share of it the load is' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l ramp -d 'New connections a second, such as 2k/s [default: as fast as they are made]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l credentials -d 'CSV file with a heading and a line for each client, publishers and requesters first: client_id, username, password, cert, key; files of certificates as seen from its folder. Lines without a client_id serve several clients if there are fewer lines than clients. The file has at most 256 MiB; only the lines of clients are kept in memory' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l local-addr -d 'Local addresses to connect from in turn, each with all of its ports' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l threads -d 'Threads to share the clients out to [default: one for each core]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l seed -d 'Seed of everything random, for the same load again [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l csv -d 'Write the figures of each second to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l html -d 'Write a page with charts to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l junit -d 'Write the thresholds as JUnit test cases to this file' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l fail-if -d 'End with status 3 if this holds: \'p99 > 20ms\', \'loss > 0\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -s h -l host -d 'Broker: host or IP address' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -s p -l port -d 'Port; 8883 turns TLS on [default: 1883, or 8883]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -s L -l url -d 'Broker as URL: mqtt[s]:// or ws[s]://[USER@]HOST[:PORT]' -r -f
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l name-server -d 'Name server to ask with -S, an IP address with :PORT if need be; may be repeated [default: the system\'s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l unix -d 'Unix socket of the broker, in place of host and port' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l ws-path -d 'Path of the WebSocket, with its query [default: /mqtt]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l ws-header -d 'Further header of the WebSocket\'s request, \'NAME: VALUE\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l proxy -d 'Proxy to go through: socks5h://[USER:PASSWORD@]HOST[:PORT], socks5:// (the broker\'s name is looked up here), http://, or env for the one that ALL_PROXY and NO_PROXY choose' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -s A -l bind-address -d 'Local IP address to connect from' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -s u -l username -d 'User name' -r -f -a "(__fish_complete_users)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -s P -l password -l pw -d 'Password; see --password-file and --password-prompt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l password-file -d 'File that holds the password; a line feed at its end and a byte-order mark are not part of it' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l password-command -d 'Command that writes the password to its standard output, run by the shell; it may take as long as --connect-timeout says, but no longer than the run may, and is ended then with all that it has started. In a file that another user owns or can write it is refused' -r -f -a "(__fish_complete_command)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l auth-method -d 'Authentication method (MQTT 5): SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512 with -u and a password, which is never sent; or any other with --auth-data' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l auth-data -d 'Authentication data (MQTT 5): text, or bytes as hex:… or base64:…; may be repeated, each further one answers one question of the broker' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l reauthenticate -d 'Authenticate again whenever this time has passed, on the same connection (MQTT 5)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -s i -l client-id -l id -d 'Client identifier [default: the broker assigns one]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -s I -l id-prefix -d 'Client identifier of this prefix and the process identifier' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -s V -l protocol-version -d 'Version of MQTT; auto is 5, or 3.1.1 if the broker refuses 5 or has not answered it after 3 s, or 3.1 if it refuses 3.1.1 too. mqttv31, mqttv311 and mqttv5 mean the same as 31, 311 and 5' -r -f -a "auto\t'MQTT 5, and 3.1.1 if the broker refuses the version'
31\t'MQTT 3.1'
311\t'MQTT 3.1.1'
5\t'MQTT 5'"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -s k -l keepalive -d 'Keep Alive: test the link after this silence, in whole seconds; 0 turns it off' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -s x -l session-expiry -d 'How long the broker keeps the session after the connection ends, or never for ever (MQTT 5) [default: 0, with -c never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -s M -l max-inflight -d 'Most QoS 1 and 2 messages sent and not yet acknowledged' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l max-packet-size -d 'Largest packet accepted from the broker, such as 64k (64000) or 64Ki (65536 bytes); a message may take twice that in memory' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l connect-timeout -d 'Limit for connecting, and again for the answer to CONNECT. Where the command ends by itself and has no -W, also for each further answer: to a PUBLISH of pub (not with -l), to SUBSCRIBE, and to the PINGREQ after the last QoS 0 message' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l profile -d 'Profile of the configuration file to take options from [default: the one that its default-profile names]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l config -d 'Configuration file [default: ~/.config/mqtt/config.toml]' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -s o -l options-file -d 'File of options as mosquitto\'s clients have them: one a line, its value behind it after a blank, tabs or =' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l cafile -d 'Trust the certificate authorities in this PEM file; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l capath -d 'Trust the certificate authorities in the PEM files of this directory; turns TLS on' -r -f -a "(__fish_complete_directories)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l cert -d 'Client certificate to show, a PEM file with its chain; needs --key; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l key -d 'Private key of the client certificate, a PEM file (PKCS#8, PKCS#1 or SEC1)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l key-password-file -d 'File that holds the password of an encrypted private key (PKCS#8)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l tls-alpn -d 'Application protocol to ask for (ALPN); several by commas, preferred first' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l tls-server-name -d 'Name to send (SNI) and to find in the broker\'s certificate, where it is not the host' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l tls-version -d 'Speak only this version of TLS: tlsv1.2 or tlsv1.3 [default: the newest both know]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l ciphers -d 'Cipher suites to allow, preferred first, by IANA\'s or OpenSSL\'s names, with colons between' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l tls-pin -d 'Public key that the broker has to have, besides a certificate in order: sha256: and its SHA-256 in Base64 or hexadecimal; may be repeated, one has to fit' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l crl -d 'Certificate revocation lists to apply, a PEM file; may be repeated. One that cannot be read is an error' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l tls-keylog -d 'Append the session keys to this file, with which a capture of the traffic can be read; env takes the name from SSLKEYLOGFILE' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l psk -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l psk-identity -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l tls-engine -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l tls-engine-kpass-sha1 -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l keyform -d 'Only pem is available' -r -f -a "pem\t''
engine\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l color -d 'Colour: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l reconnect -d 'When the link is lost: never, always, or how many attempts in a row may fail. Refused credentials, an untrusted certificate and three hang-ups on the same packet end the run all the same [default: always for sub and pub -l, 10 for retain-clear, else never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l reconnect-max-delay -d 'Longest pause between two attempts to reconnect' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l wait-for-server -d 'For how long to try to make the first connection; 0 is one attempt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l publishers -d 'Clients that send requests [default: 10]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l inflight -d 'Most QoS 1 and 2 messages of a client sent and not yet acknowledged; with --rate max, requests without a response [default: as -M]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l topic -d 'Topic of the requests, with {client} and {topic} as levels; responses go to bench-response/RUN/CLIENT/answer [default: bench/{client}/{topic}]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l embedded -d 'Start the broker of this program in a process of its own, and test that'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l json -d 'Write the report as one JSON object'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l allow-saturated -d 'Do not fail if the generator was the bottleneck'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -s S -l srv -d 'Take the host for a domain and ask DNS for its brokers, the service records of _mqtt._tcp or, with TLS, _secure-mqtt._tcp'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l ws -d 'Speak MQTT in a WebSocket, as ws:// and wss:// in -L do'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l nodelay -d 'Send small packets at once; always on, and taken for mosquitto\'s sake'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l password-prompt -d 'Ask for the password on the terminal, without showing it'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l follow-redirect -d 'Go where a broker sends its clients, with the same options and credentials (MQTT 5): at most 5 times in a row, and to at most 20 brokers'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l tls-use-os-certs -d 'Trust the operating system\'s certificate authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name; turns TLS on. The default where TLS is on without --cafile and --capath'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l insecure -d 'Accept any broker: neither certificate nor host name is verified'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l no-tls -d 'Connect without TLS, whatever other options say'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l quiet -d 'Say nothing on standard error but usage errors; the exit status tells how it went'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l log-time -d 'Begin each line on standard error with the time: RFC 3339, UTC, milliseconds. --json-events has it anyway'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -s c -l disable-clean-session -d 'Go on with the session of an earlier connection and keep it; needs -i'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from rr" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from compare" -l color -d 'Colour: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from compare" -l json -d 'Write the comparison as one JSON object'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from compare" -l allow-saturated -d 'Do not fail if a run is not valid because the generator was the bottleneck'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from compare" -l quiet -d 'Say nothing on standard error but usage errors; the exit status tells how it went'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from compare" -l log-time -d 'Begin each line on standard error with the time: RFC 3339, UTC, milliseconds. --json-events has it anyway'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from compare" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from compare" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from compare" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l duration -d 'How long to measure each part [default: 3s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l threads -d 'Threads to share the clients out to [default: one for each core]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -s h -l host -d 'Broker: host or IP address' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -s p -l port -d 'Port; 8883 turns TLS on [default: 1883, or 8883]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -s L -l url -d 'Broker as URL: mqtt[s]:// or ws[s]://[USER@]HOST[:PORT]' -r -f
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l name-server -d 'Name server to ask with -S, an IP address with :PORT if need be; may be repeated [default: the system\'s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l unix -d 'Unix socket of the broker, in place of host and port' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l ws-path -d 'Path of the WebSocket, with its query [default: /mqtt]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l ws-header -d 'Further header of the WebSocket\'s request, \'NAME: VALUE\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l proxy -d 'Proxy to go through: socks5h://[USER:PASSWORD@]HOST[:PORT], socks5:// (the broker\'s name is looked up here), http://, or env for the one that ALL_PROXY and NO_PROXY choose' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -s A -l bind-address -d 'Local IP address to connect from' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -s u -l username -d 'User name' -r -f -a "(__fish_complete_users)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -s P -l password -l pw -d 'Password; see --password-file and --password-prompt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l password-file -d 'File that holds the password; a line feed at its end and a byte-order mark are not part of it' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l password-command -d 'Command that writes the password to its standard output, run by the shell; it may take as long as --connect-timeout says, but no longer than the run may, and is ended then with all that it has started. In a file that another user owns or can write it is refused' -r -f -a "(__fish_complete_command)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l auth-method -d 'Authentication method (MQTT 5): SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512 with -u and a password, which is never sent; or any other with --auth-data' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l auth-data -d 'Authentication data (MQTT 5): text, or bytes as hex:… or base64:…; may be repeated, each further one answers one question of the broker' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l reauthenticate -d 'Authenticate again whenever this time has passed, on the same connection (MQTT 5)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -s i -l client-id -l id -d 'Client identifier [default: the broker assigns one]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -s I -l id-prefix -d 'Client identifier of this prefix and the process identifier' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -s V -l protocol-version -d 'Version of MQTT; auto is 5, or 3.1.1 if the broker refuses 5 or has not answered it after 3 s, or 3.1 if it refuses 3.1.1 too. mqttv31, mqttv311 and mqttv5 mean the same as 31, 311 and 5' -r -f -a "auto\t'MQTT 5, and 3.1.1 if the broker refuses the version'
31\t'MQTT 3.1'
311\t'MQTT 3.1.1'
5\t'MQTT 5'"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -s k -l keepalive -d 'Keep Alive: test the link after this silence, in whole seconds; 0 turns it off' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -s x -l session-expiry -d 'How long the broker keeps the session after the connection ends, or never for ever (MQTT 5) [default: 0, with -c never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -s M -l max-inflight -d 'Most QoS 1 and 2 messages sent and not yet acknowledged' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l max-packet-size -d 'Largest packet accepted from the broker, such as 64k (64000) or 64Ki (65536 bytes); a message may take twice that in memory' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l connect-timeout -d 'Limit for connecting, and again for the answer to CONNECT. Where the command ends by itself and has no -W, also for each further answer: to a PUBLISH of pub (not with -l), to SUBSCRIBE, and to the PINGREQ after the last QoS 0 message' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l reconnect -d 'When the link is lost: never, always, or how many attempts in a row may fail. Refused credentials, an untrusted certificate and three hang-ups on the same packet end the run all the same [default: always for sub and pub -l, 10 for retain-clear, else never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l reconnect-max-delay -d 'Longest pause between two attempts to reconnect' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l wait-for-server -d 'For how long to try to make the first connection; 0 is one attempt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l profile -d 'Profile of the configuration file to take options from [default: the one that its default-profile names]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l config -d 'Configuration file [default: ~/.config/mqtt/config.toml]' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -s o -l options-file -d 'File of options as mosquitto\'s clients have them: one a line, its value behind it after a blank, tabs or =' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l cafile -d 'Trust the certificate authorities in this PEM file; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l capath -d 'Trust the certificate authorities in the PEM files of this directory; turns TLS on' -r -f -a "(__fish_complete_directories)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l cert -d 'Client certificate to show, a PEM file with its chain; needs --key; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l key -d 'Private key of the client certificate, a PEM file (PKCS#8, PKCS#1 or SEC1)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l key-password-file -d 'File that holds the password of an encrypted private key (PKCS#8)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l tls-alpn -d 'Application protocol to ask for (ALPN); several by commas, preferred first' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l tls-server-name -d 'Name to send (SNI) and to find in the broker\'s certificate, where it is not the host' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l tls-version -d 'Speak only this version of TLS: tlsv1.2 or tlsv1.3 [default: the newest both know]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l ciphers -d 'Cipher suites to allow, preferred first, by IANA\'s or OpenSSL\'s names, with colons between' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l tls-pin -d 'Public key that the broker has to have, besides a certificate in order: sha256: and its SHA-256 in Base64 or hexadecimal; may be repeated, one has to fit' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l crl -d 'Certificate revocation lists to apply, a PEM file; may be repeated. One that cannot be read is an error' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l tls-keylog -d 'Append the session keys to this file, with which a capture of the traffic can be read; env takes the name from SSLKEYLOGFILE' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l psk -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l psk-identity -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l tls-engine -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l tls-engine-kpass-sha1 -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l keyform -d 'Only pem is available' -r -f -a "pem\t''
engine\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l color -d 'Colour: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l json -d 'Write the result as one JSON object'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -s S -l srv -d 'Take the host for a domain and ask DNS for its brokers, the service records of _mqtt._tcp or, with TLS, _secure-mqtt._tcp'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l ws -d 'Speak MQTT in a WebSocket, as ws:// and wss:// in -L do'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l nodelay -d 'Send small packets at once; always on, and taken for mosquitto\'s sake'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l password-prompt -d 'Ask for the password on the terminal, without showing it'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -s c -l disable-clean-session -d 'Go on with the session of an earlier connection and keep it; needs -i'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l follow-redirect -d 'Go where a broker sends its clients, with the same options and credentials (MQTT 5): at most 5 times in a row, and to at most 20 brokers'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l tls-use-os-certs -d 'Trust the operating system\'s certificate authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name; turns TLS on. The default where TLS is on without --cafile and --capath'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l insecure -d 'Accept any broker: neither certificate nor host name is verified'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l no-tls -d 'Connect without TLS, whatever other options say'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l quiet -d 'Say nothing on standard error but usage errors; the exit status tells how it went'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l log-time -d 'Begin each line on standard error with the time: RFC 3339, UTC, milliseconds. --json-events has it anyway'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand bench; and __fish_seen_subcommand_from calibrate" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s T -l filter-out -d 'Leave topics alone that match this filter; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l match -d 'Only topics in which this regular expression is found' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l payload-match -d 'Only payloads in which this regular expression is found; (?-u) in front matches bytes' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l larger-than -d 'Only payloads larger than this, such as 500, 16k (16000) or 16Ki (16384 bytes)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l older-than -d 'Only messages made longer ago than this; needs --time-in' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l time-in -d 'Where messages say when they were made, in RFC 3339 or since 1970: payload, payload:/POINTER for a member of JSON (RFC 6901), or property:NAME for a user property' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l until-clear -d 'Clear values too that are published meanwhile, again and again, for at most this time [default: 60]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l rate -d 'At most this many messages a second' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s W -l timeout -d 'Leave after this time, with exit status 27; a list or export has what came up to then, and exit status 3. Without it a scan ends after 30 seconds' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l backup -d 'Write what is to be cleared to this new file first, as JSON records' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l export -d 'Write it to this new file, or to standard output (-), and clear nothing' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l restore -d 'Publish the messages of a backup again; takes no FILTER' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s D -l property -d 'Add a property to a packet (MQTT 5); may be repeated. COMMAND is connect, publish, will, subscribe, unsubscribe or disconnect; NAME is the standard\'s, such as content-type; user-property takes a KEY and a VALUE' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l receive-maximum -d 'Most QoS 1 and 2 messages the broker may send before they are acknowledged [default: 65535]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l topic-alias-maximum -d 'How many topic aliases the broker may use [default: 0]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l request-response-information -d 'Whether to ask the broker what response topics are to begin with (shown with -d)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l request-problem-information -d 'Whether the broker may send reason strings and user properties with its answers [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l connect-user-property -d 'User property of the CONNECT; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l disconnect-session-expiry -d 'At the end, change how long the broker keeps the session, as with -x' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l disconnect-reason -d 'Reason string of the DISCONNECT' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l disconnect-user-property -d 'User property of the DISCONNECT; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s h -l host -d 'Broker: host or IP address' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s p -l port -d 'Port; 8883 turns TLS on [default: 1883, or 8883]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s L -l url -d 'Broker as URL: mqtt[s]:// or ws[s]://[USER@]HOST[:PORT]' -r -f
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l name-server -d 'Name server to ask with -S, an IP address with :PORT if need be; may be repeated [default: the system\'s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l unix -d 'Unix socket of the broker, in place of host and port' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l ws-path -d 'Path of the WebSocket, with its query [default: /mqtt]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l ws-header -d 'Further header of the WebSocket\'s request, \'NAME: VALUE\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l proxy -d 'Proxy to go through: socks5h://[USER:PASSWORD@]HOST[:PORT], socks5:// (the broker\'s name is looked up here), http://, or env for the one that ALL_PROXY and NO_PROXY choose' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s A -l bind-address -d 'Local IP address to connect from' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s u -l username -d 'User name' -r -f -a "(__fish_complete_users)"
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s P -l password -l pw -d 'Password; see --password-file and --password-prompt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l password-file -d 'File that holds the password; a line feed at its end and a byte-order mark are not part of it' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l password-command -d 'Command that writes the password to its standard output, run by the shell; it may take as long as --connect-timeout says, but no longer than the run may, and is ended then with all that it has started. In a file that another user owns or can write it is refused' -r -f -a "(__fish_complete_command)"
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l auth-method -d 'Authentication method (MQTT 5): SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512 with -u and a password, which is never sent; or any other with --auth-data' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l auth-data -d 'Authentication data (MQTT 5): text, or bytes as hex:… or base64:…; may be repeated, each further one answers one question of the broker' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l reauthenticate -d 'Authenticate again whenever this time has passed, on the same connection (MQTT 5)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s i -l client-id -l id -d 'Client identifier [default: the broker assigns one]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s I -l id-prefix -d 'Client identifier of this prefix and the process identifier' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s V -l protocol-version -d 'Version of MQTT; auto is 5, or 3.1.1 if the broker refuses 5 or has not answered it after 3 s, or 3.1 if it refuses 3.1.1 too. mqttv31, mqttv311 and mqttv5 mean the same as 31, 311 and 5' -r -f -a "auto\t'MQTT 5, and 3.1.1 if the broker refuses the version'
31\t'MQTT 3.1'
311\t'MQTT 3.1.1'
5\t'MQTT 5'"
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s k -l keepalive -d 'Keep Alive: test the link after this silence, in whole seconds; 0 turns it off' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s x -l session-expiry -d 'How long the broker keeps the session after the connection ends, or never for ever (MQTT 5) [default: 0, with -c never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s M -l max-inflight -d 'Most QoS 1 and 2 messages sent and not yet acknowledged' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l max-packet-size -d 'Largest packet accepted from the broker, such as 64k (64000) or 64Ki (65536 bytes); a message may take twice that in memory' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l connect-timeout -d 'Limit for connecting, and again for the answer to CONNECT. Where the command ends by itself and has no -W, also for each further answer: to a PUBLISH of pub (not with -l), to SUBSCRIBE, and to the PINGREQ after the last QoS 0 message' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l reconnect -d 'When the link is lost: never, always, or how many attempts in a row may fail. Refused credentials, an untrusted certificate and three hang-ups on the same packet end the run all the same [default: always for sub and pub -l, 10 for retain-clear, else never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l reconnect-max-delay -d 'Longest pause between two attempts to reconnect' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l wait-for-server -d 'For how long to try to make the first connection; 0 is one attempt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l profile -d 'Profile of the configuration file to take options from [default: the one that its default-profile names]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l config -d 'Configuration file [default: ~/.config/mqtt/config.toml]' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s o -l options-file -d 'File of options as mosquitto\'s clients have them: one a line, its value behind it after a blank, tabs or =' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l cafile -d 'Trust the certificate authorities in this PEM file; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l capath -d 'Trust the certificate authorities in the PEM files of this directory; turns TLS on' -r -f -a "(__fish_complete_directories)"
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l cert -d 'Client certificate to show, a PEM file with its chain; needs --key; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l key -d 'Private key of the client certificate, a PEM file (PKCS#8, PKCS#1 or SEC1)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l key-password-file -d 'File that holds the password of an encrypted private key (PKCS#8)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l tls-alpn -d 'Application protocol to ask for (ALPN); several by commas, preferred first' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l tls-server-name -d 'Name to send (SNI) and to find in the broker\'s certificate, where it is not the host' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l tls-version -d 'Speak only this version of TLS: tlsv1.2 or tlsv1.3 [default: the newest both know]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l ciphers -d 'Cipher suites to allow, preferred first, by IANA\'s or OpenSSL\'s names, with colons between' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l tls-pin -d 'Public key that the broker has to have, besides a certificate in order: sha256: and its SHA-256 in Base64 or hexadecimal; may be repeated, one has to fit' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l crl -d 'Certificate revocation lists to apply, a PEM file; may be repeated. One that cannot be read is an error' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l tls-keylog -d 'Append the session keys to this file, with which a capture of the traffic can be read; env takes the name from SSLKEYLOGFILE' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l psk -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l psk-identity -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l tls-engine -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l tls-engine-kpass-sha1 -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l keyform -d 'Only pem is available' -r -f -a "pem\t''
engine\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l json-events -d 'Write everything on standard error as JSON, one object a line, packets as with -d included; with =state changes of state, warnings and errors only. Usage errors, which come before, stay text' -r -f -a "all\t''
state\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l color -d 'Colour: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l dry-run -d 'Only list what would be cleared'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l yes -d 'Clear without asking'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l json -d 'Write a report with the fate of every topic, as one JSON object, in place of text'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s S -l srv -d 'Take the host for a domain and ask DNS for its brokers, the service records of _mqtt._tcp or, with TLS, _secure-mqtt._tcp'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l ws -d 'Speak MQTT in a WebSocket, as ws:// and wss:// in -L do'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l nodelay -d 'Send small packets at once; always on, and taken for mosquitto\'s sake'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l password-prompt -d 'Ask for the password on the terminal, without showing it'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s c -l disable-clean-session -d 'Go on with the session of an earlier connection and keep it; needs -i'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l follow-redirect -d 'Go where a broker sends its clients, with the same options and credentials (MQTT 5): at most 5 times in a row, and to at most 20 brokers'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l tls-use-os-certs -d 'Trust the operating system\'s certificate authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name; turns TLS on. The default where TLS is on without --cafile and --capath'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l insecure -d 'Accept any broker: neither certificate nor host name is verified'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l no-tls -d 'Connect without TLS, whatever other options say'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -s d -l debug -d 'Show every packet sent and received, on standard error'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l quiet -d 'Say nothing on standard error but usage errors; the exit status tells how it went'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l log-time -d 'Begin each line on standard error with the time: RFC 3339, UTC, milliseconds. --json-events has it anyway'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand retain-clear" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l case -d 'Only this case; may be repeated' -r -f -a "close\t''
reset\t''
keep-alive\t''
black-hole\t''
take-over\t''
disconnect\t''
disconnect-with-will\t''
second-connect\t''
malformed\t''
qos-0\t''
qos-1\t''
qos-2\t''
retained\t''
not-retained\t''
empty-payload\t''
large\t''
odd-topic\t''
delay\t''
delay-session-end\t''
delay-no-session\t''
delay-reconnect\t''
delay-clean-start\t''
session-expiry\t''
message-expiry\t''
message-expired\t''
properties\t''
response-topic\t''
user-property-order\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l tolerance -d 'How late a will may be' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l prefix -d 'What the topics of all cases begin with' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l watch-as -d 'User name of the client that watches [default: as -u]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l watch-password -d 'Password of the client that watches' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l junit -d 'Write a report to this file in the form of JUnit' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l will-topic -d 'Topic of the message that the broker publishes if this client is lost' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l will-payload -d 'Payload of the will, at most 65,535 bytes [default: empty]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l will-qos -d 'QoS of the will [default: 0]' -r -f -a "0\t''
1\t''
2\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -s D -l property -d 'Add a property to a packet (MQTT 5); may be repeated. COMMAND is connect, publish, will, subscribe, unsubscribe or disconnect; NAME is the standard\'s, such as content-type; user-property takes a KEY and a VALUE' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l receive-maximum -d 'Most QoS 1 and 2 messages the broker may send before they are acknowledged [default: 65535]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l topic-alias-maximum -d 'How many topic aliases the broker may use [default: 0]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l request-response-information -d 'Whether to ask the broker what response topics are to begin with (shown with -d)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l request-problem-information -d 'Whether the broker may send reason strings and user properties with its answers [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l connect-user-property -d 'User property of the CONNECT; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l disconnect-session-expiry -d 'At the end, change how long the broker keeps the session, as with -x' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l disconnect-reason -d 'Reason string of the DISCONNECT' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l disconnect-user-property -d 'User property of the DISCONNECT; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l will-delay -d 'How long the broker waits before it publishes the will, in whole seconds [default: 0]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l will-content-type -d 'Content type of the will' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l will-payload-format-indicator -d 'Whether the will\'s payload is bytes of any kind (0) or UTF-8 text (1)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l will-message-expiry -d 'How long the broker may keep the will, once published, for those it has not reached yet' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l will-response-topic -d 'Response topic of the will' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l will-correlation-data -d 'Correlation data of the will: text, or bytes as hex:… or base64:…' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l will-user-property -d 'User property of the will; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -s h -l host -d 'Broker: host or IP address' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -s p -l port -d 'Port; 8883 turns TLS on [default: 1883, or 8883]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -s L -l url -d 'Broker as URL: mqtt[s]:// or ws[s]://[USER@]HOST[:PORT]' -r -f
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l name-server -d 'Name server to ask with -S, an IP address with :PORT if need be; may be repeated [default: the system\'s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l unix -d 'Unix socket of the broker, in place of host and port' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l ws-path -d 'Path of the WebSocket, with its query [default: /mqtt]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l ws-header -d 'Further header of the WebSocket\'s request, \'NAME: VALUE\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l proxy -d 'Proxy to go through: socks5h://[USER:PASSWORD@]HOST[:PORT], socks5:// (the broker\'s name is looked up here), http://, or env for the one that ALL_PROXY and NO_PROXY choose' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -s A -l bind-address -d 'Local IP address to connect from' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -s u -l username -d 'User name' -r -f -a "(__fish_complete_users)"
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -s P -l password -l pw -d 'Password; see --password-file and --password-prompt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l password-file -d 'File that holds the password; a line feed at its end and a byte-order mark are not part of it' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l password-command -d 'Command that writes the password to its standard output, run by the shell; it may take as long as --connect-timeout says, but no longer than the run may, and is ended then with all that it has started. In a file that another user owns or can write it is refused' -r -f -a "(__fish_complete_command)"
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l auth-method -d 'Authentication method (MQTT 5): SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512 with -u and a password, which is never sent; or any other with --auth-data' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l auth-data -d 'Authentication data (MQTT 5): text, or bytes as hex:… or base64:…; may be repeated, each further one answers one question of the broker' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l reauthenticate -d 'Authenticate again whenever this time has passed, on the same connection (MQTT 5)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -s i -l client-id -l id -d 'Client identifier [default: the broker assigns one]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -s I -l id-prefix -d 'Client identifier of this prefix and the process identifier' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -s V -l protocol-version -d 'Version of MQTT; auto is 5, or 3.1.1 if the broker refuses 5 or has not answered it after 3 s, or 3.1 if it refuses 3.1.1 too. mqttv31, mqttv311 and mqttv5 mean the same as 31, 311 and 5' -r -f -a "auto\t'MQTT 5, and 3.1.1 if the broker refuses the version'
31\t'MQTT 3.1'
311\t'MQTT 3.1.1'
5\t'MQTT 5'"
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -s k -l keepalive -d 'Keep Alive: test the link after this silence, in whole seconds; 0 turns it off' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -s x -l session-expiry -d 'How long the broker keeps the session after the connection ends, or never for ever (MQTT 5) [default: 0, with -c never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -s M -l max-inflight -d 'Most QoS 1 and 2 messages sent and not yet acknowledged' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l max-packet-size -d 'Largest packet accepted from the broker, such as 64k (64000) or 64Ki (65536 bytes); a message may take twice that in memory' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l connect-timeout -d 'Limit for connecting, and again for the answer to CONNECT. Where the command ends by itself and has no -W, also for each further answer: to a PUBLISH of pub (not with -l), to SUBSCRIBE, and to the PINGREQ after the last QoS 0 message' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l reconnect -d 'When the link is lost: never, always, or how many attempts in a row may fail. Refused credentials, an untrusted certificate and three hang-ups on the same packet end the run all the same [default: always for sub and pub -l, 10 for retain-clear, else never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l reconnect-max-delay -d 'Longest pause between two attempts to reconnect' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l wait-for-server -d 'For how long to try to make the first connection; 0 is one attempt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l profile -d 'Profile of the configuration file to take options from [default: the one that its default-profile names]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l config -d 'Configuration file [default: ~/.config/mqtt/config.toml]' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -s o -l options-file -d 'File of options as mosquitto\'s clients have them: one a line, its value behind it after a blank, tabs or =' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l cafile -d 'Trust the certificate authorities in this PEM file; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l capath -d 'Trust the certificate authorities in the PEM files of this directory; turns TLS on' -r -f -a "(__fish_complete_directories)"
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l cert -d 'Client certificate to show, a PEM file with its chain; needs --key; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l key -d 'Private key of the client certificate, a PEM file (PKCS#8, PKCS#1 or SEC1)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l key-password-file -d 'File that holds the password of an encrypted private key (PKCS#8)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l tls-alpn -d 'Application protocol to ask for (ALPN); several by commas, preferred first' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l tls-server-name -d 'Name to send (SNI) and to find in the broker\'s certificate, where it is not the host' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l tls-version -d 'Speak only this version of TLS: tlsv1.2 or tlsv1.3 [default: the newest both know]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l ciphers -d 'Cipher suites to allow, preferred first, by IANA\'s or OpenSSL\'s names, with colons between' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l tls-pin -d 'Public key that the broker has to have, besides a certificate in order: sha256: and its SHA-256 in Base64 or hexadecimal; may be repeated, one has to fit' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l crl -d 'Certificate revocation lists to apply, a PEM file; may be repeated. One that cannot be read is an error' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l tls-keylog -d 'Append the session keys to this file, with which a capture of the traffic can be read; env takes the name from SSLKEYLOGFILE' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l psk -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l psk-identity -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l tls-engine -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l tls-engine-kpass-sha1 -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l keyform -d 'Only pem is available' -r -f -a "pem\t''
engine\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l json-events -d 'Write everything on standard error as JSON, one object a line, packets as with -d included; with =state changes of state, warnings and errors only. Usage errors, which come before, stay text' -r -f -a "all\t''
state\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l color -d 'Colour: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l strict -d 'Also run the cases in which brokers that many people use depart from the standard'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l list -d 'List the cases, and run none'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l version-matrix -d 'Run each case with MQTT 3.1.1 and with MQTT 5'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l parallel -d 'Run all cases at once'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l json -d 'Write a report with every verdict, as one JSON object, in place of text'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l will-retain -d 'Retain the will'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -s S -l srv -d 'Take the host for a domain and ask DNS for its brokers, the service records of _mqtt._tcp or, with TLS, _secure-mqtt._tcp'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l ws -d 'Speak MQTT in a WebSocket, as ws:// and wss:// in -L do'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l nodelay -d 'Send small packets at once; always on, and taken for mosquitto\'s sake'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l password-prompt -d 'Ask for the password on the terminal, without showing it'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -s c -l disable-clean-session -d 'Go on with the session of an earlier connection and keep it; needs -i'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l follow-redirect -d 'Go where a broker sends its clients, with the same options and credentials (MQTT 5): at most 5 times in a row, and to at most 20 brokers'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l tls-use-os-certs -d 'Trust the operating system\'s certificate authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name; turns TLS on. The default where TLS is on without --cafile and --capath'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l insecure -d 'Accept any broker: neither certificate nor host name is verified'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l no-tls -d 'Connect without TLS, whatever other options say'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -s d -l debug -d 'Show every packet sent and received, on standard error'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l quiet -d 'Say nothing on standard error but usage errors; the exit status tells how it went'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l log-time -d 'Begin each line on standard error with the time: RFC 3339, UTC, milliseconds. --json-events has it anyway'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand will-test" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s C -l count -d 'Round trips to measure' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l interval -d 'Pause between two round trips' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s W -l timeout -d 'Give up after this time, whatever was reached; exit status 27' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l publish -d 'Send a message to this topic as well, and measure how long it takes to come back' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l warn-expiry -d 'Warn, with exit status 3, of a certificate that expires within this time' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s D -l property -d 'Add a property to a packet (MQTT 5); may be repeated. COMMAND is connect, publish, will, subscribe, unsubscribe or disconnect; NAME is the standard\'s, such as content-type; user-property takes a KEY and a VALUE' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l receive-maximum -d 'Most QoS 1 and 2 messages the broker may send before they are acknowledged [default: 65535]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l topic-alias-maximum -d 'How many topic aliases the broker may use [default: 0]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l request-response-information -d 'Whether to ask the broker what response topics are to begin with (shown with -d)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l request-problem-information -d 'Whether the broker may send reason strings and user properties with its answers [default: 1]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l connect-user-property -d 'User property of the CONNECT; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l disconnect-session-expiry -d 'At the end, change how long the broker keeps the session, as with -x' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l disconnect-reason -d 'Reason string of the DISCONNECT' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l disconnect-user-property -d 'User property of the DISCONNECT; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s h -l host -d 'Broker: host or IP address' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s p -l port -d 'Port; 8883 turns TLS on [default: 1883, or 8883]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s L -l url -d 'Broker as URL: mqtt[s]:// or ws[s]://[USER@]HOST[:PORT]' -r -f
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l name-server -d 'Name server to ask with -S, an IP address with :PORT if need be; may be repeated [default: the system\'s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l unix -d 'Unix socket of the broker, in place of host and port' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l ws-path -d 'Path of the WebSocket, with its query [default: /mqtt]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l ws-header -d 'Further header of the WebSocket\'s request, \'NAME: VALUE\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l proxy -d 'Proxy to go through: socks5h://[USER:PASSWORD@]HOST[:PORT], socks5:// (the broker\'s name is looked up here), http://, or env for the one that ALL_PROXY and NO_PROXY choose' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s A -l bind-address -d 'Local IP address to connect from' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s u -l username -d 'User name' -r -f -a "(__fish_complete_users)"
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s P -l password -l pw -d 'Password; see --password-file and --password-prompt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l password-file -d 'File that holds the password; a line feed at its end and a byte-order mark are not part of it' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l password-command -d 'Command that writes the password to its standard output, run by the shell; it may take as long as --connect-timeout says, but no longer than the run may, and is ended then with all that it has started. In a file that another user owns or can write it is refused' -r -f -a "(__fish_complete_command)"
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l auth-method -d 'Authentication method (MQTT 5): SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512 with -u and a password, which is never sent; or any other with --auth-data' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l auth-data -d 'Authentication data (MQTT 5): text, or bytes as hex:… or base64:…; may be repeated, each further one answers one question of the broker' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l reauthenticate -d 'Authenticate again whenever this time has passed, on the same connection (MQTT 5)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s i -l client-id -l id -d 'Client identifier [default: the broker assigns one]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s I -l id-prefix -d 'Client identifier of this prefix and the process identifier' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s V -l protocol-version -d 'Version of MQTT; auto is 5, or 3.1.1 if the broker refuses 5 or has not answered it after 3 s, or 3.1 if it refuses 3.1.1 too. mqttv31, mqttv311 and mqttv5 mean the same as 31, 311 and 5' -r -f -a "auto\t'MQTT 5, and 3.1.1 if the broker refuses the version'
31\t'MQTT 3.1'
311\t'MQTT 3.1.1'
5\t'MQTT 5'"
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s k -l keepalive -d 'Keep Alive: test the link after this silence, in whole seconds; 0 turns it off' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s x -l session-expiry -d 'How long the broker keeps the session after the connection ends, or never for ever (MQTT 5) [default: 0, with -c never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s M -l max-inflight -d 'Most QoS 1 and 2 messages sent and not yet acknowledged' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l max-packet-size -d 'Largest packet accepted from the broker, such as 64k (64000) or 64Ki (65536 bytes); a message may take twice that in memory' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l connect-timeout -d 'Limit for connecting, and again for the answer to CONNECT. Where the command ends by itself and has no -W, also for each further answer: to a PUBLISH of pub (not with -l), to SUBSCRIBE, and to the PINGREQ after the last QoS 0 message' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l reconnect -d 'When the link is lost: never, always, or how many attempts in a row may fail. Refused credentials, an untrusted certificate and three hang-ups on the same packet end the run all the same [default: always for sub and pub -l, 10 for retain-clear, else never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l reconnect-max-delay -d 'Longest pause between two attempts to reconnect' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l wait-for-server -d 'For how long to try to make the first connection; 0 is one attempt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l profile -d 'Profile of the configuration file to take options from [default: the one that its default-profile names]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l config -d 'Configuration file [default: ~/.config/mqtt/config.toml]' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s o -l options-file -d 'File of options as mosquitto\'s clients have them: one a line, its value behind it after a blank, tabs or =' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l cafile -d 'Trust the certificate authorities in this PEM file; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l capath -d 'Trust the certificate authorities in the PEM files of this directory; turns TLS on' -r -f -a "(__fish_complete_directories)"
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l cert -d 'Client certificate to show, a PEM file with its chain; needs --key; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l key -d 'Private key of the client certificate, a PEM file (PKCS#8, PKCS#1 or SEC1)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l key-password-file -d 'File that holds the password of an encrypted private key (PKCS#8)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l tls-alpn -d 'Application protocol to ask for (ALPN); several by commas, preferred first' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l tls-server-name -d 'Name to send (SNI) and to find in the broker\'s certificate, where it is not the host' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l tls-version -d 'Speak only this version of TLS: tlsv1.2 or tlsv1.3 [default: the newest both know]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l ciphers -d 'Cipher suites to allow, preferred first, by IANA\'s or OpenSSL\'s names, with colons between' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l tls-pin -d 'Public key that the broker has to have, besides a certificate in order: sha256: and its SHA-256 in Base64 or hexadecimal; may be repeated, one has to fit' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l crl -d 'Certificate revocation lists to apply, a PEM file; may be repeated. One that cannot be read is an error' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l tls-keylog -d 'Append the session keys to this file, with which a capture of the traffic can be read; env takes the name from SSLKEYLOGFILE' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l psk -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l psk-identity -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l tls-engine -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l tls-engine-kpass-sha1 -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l keyform -d 'Only pem is available' -r -f -a "pem\t''
engine\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l json-events -d 'Write everything on standard error as JSON, one object a line, packets as with -d included; with =state changes of state, warnings and errors only. Usage errors, which come before, stay text' -r -f -a "all\t''
state\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l color -d 'Colour: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l json -d 'Write a report as one JSON object, in place of text'
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s S -l srv -d 'Take the host for a domain and ask DNS for its brokers, the service records of _mqtt._tcp or, with TLS, _secure-mqtt._tcp'
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l ws -d 'Speak MQTT in a WebSocket, as ws:// and wss:// in -L do'
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l nodelay -d 'Send small packets at once; always on, and taken for mosquitto\'s sake'
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l password-prompt -d 'Ask for the password on the terminal, without showing it'
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s c -l disable-clean-session -d 'Go on with the session of an earlier connection and keep it; needs -i'
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l follow-redirect -d 'Go where a broker sends its clients, with the same options and credentials (MQTT 5): at most 5 times in a row, and to at most 20 brokers'
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l tls-use-os-certs -d 'Trust the operating system\'s certificate authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name; turns TLS on. The default where TLS is on without --cafile and --capath'
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l insecure -d 'Accept any broker: neither certificate nor host name is verified'
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l no-tls -d 'Connect without TLS, whatever other options say'
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -s d -l debug -d 'Show every packet sent and received, on standard error'
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l quiet -d 'Say nothing on standard error but usage errors; the exit status tells how it went'
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l log-time -d 'Begin each line on standard error with the time: RFC 3339, UTC, milliseconds. --json-events has it anyway'
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand ping" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand broker" -l listen -d 'IP address to listen on, with a port or without; port 0 takes a free one and prints it' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand broker" -s p -l port -d 'Port to listen on [default: 1883]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand broker" -l color -d 'Colour: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand broker" -l until-eof -d 'End when standard input does, as it does with the program that has started this one with a pipe'
complete -c mqtt -n "__fish_mqtt_using_subcommand broker" -l quiet -d 'Say nothing on standard error but usage errors; the exit status tells how it went'
complete -c mqtt -n "__fish_mqtt_using_subcommand broker" -l log-time -d 'Begin each line on standard error with the time: RFC 3339, UTC, milliseconds. --json-events has it anyway'
complete -c mqtt -n "__fish_mqtt_using_subcommand broker" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand broker" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand broker" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and not __fish_seen_subcommand_from show list check" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and not __fish_seen_subcommand_from show list check" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and not __fish_seen_subcommand_from show list check" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and not __fish_seen_subcommand_from show list check" -f -a "show" -d 'Show what a connection would be made with'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and not __fish_seen_subcommand_from show list check" -f -a "list" -d 'List the profiles and their brokers'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and not __fish_seen_subcommand_from show list check" -f -a "check" -d 'Find mistakes in the configuration file'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l host -d 'Broker: host or IP address' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -s p -l port -d 'Port; 8883 turns TLS on [default: 1883, or 8883]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -s L -l url -d 'Broker as URL: mqtt[s]:// or ws[s]://[USER@]HOST[:PORT]' -r -f
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l name-server -d 'Name server to ask with -S, an IP address with :PORT if need be; may be repeated [default: the system\'s]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l unix -d 'Unix socket of the broker, in place of host and port' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l ws-path -d 'Path of the WebSocket, with its query [default: /mqtt]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l ws-header -d 'Further header of the WebSocket\'s request, \'NAME: VALUE\'; may be repeated' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l proxy -d 'Proxy to go through: socks5h://[USER:PASSWORD@]HOST[:PORT], socks5:// (the broker\'s name is looked up here), http://, or env for the one that ALL_PROXY and NO_PROXY choose' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -s A -l bind-address -d 'Local IP address to connect from' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -s u -l username -d 'User name' -r -f -a "(__fish_complete_users)"
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -s P -l password -l pw -d 'Password; see --password-file and --password-prompt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l password-file -d 'File that holds the password; a line feed at its end and a byte-order mark are not part of it' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l password-command -d 'Command that writes the password to its standard output, run by the shell; it may take as long as --connect-timeout says, but no longer than the run may, and is ended then with all that it has started. In a file that another user owns or can write it is refused' -r -f -a "(__fish_complete_command)"
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l auth-method -d 'Authentication method (MQTT 5): SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512 with -u and a password, which is never sent; or any other with --auth-data' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l auth-data -d 'Authentication data (MQTT 5): text, or bytes as hex:… or base64:…; may be repeated, each further one answers one question of the broker' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l reauthenticate -d 'Authenticate again whenever this time has passed, on the same connection (MQTT 5)' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -s i -l client-id -l id -d 'Client identifier [default: the broker assigns one]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -s I -l id-prefix -d 'Client identifier of this prefix and the process identifier' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -s V -l protocol-version -d 'Version of MQTT; auto is 5, or 3.1.1 if the broker refuses 5 or has not answered it after 3 s, or 3.1 if it refuses 3.1.1 too. mqttv31, mqttv311 and mqttv5 mean the same as 31, 311 and 5' -r -f -a "auto\t'MQTT 5, and 3.1.1 if the broker refuses the version'
31\t'MQTT 3.1'
311\t'MQTT 3.1.1'
5\t'MQTT 5'"
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -s k -l keepalive -d 'Keep Alive: test the link after this silence, in whole seconds; 0 turns it off' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -s x -l session-expiry -d 'How long the broker keeps the session after the connection ends, or never for ever (MQTT 5) [default: 0, with -c never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -s M -l max-inflight -d 'Most QoS 1 and 2 messages sent and not yet acknowledged' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l max-packet-size -d 'Largest packet accepted from the broker, such as 64k (64000) or 64Ki (65536 bytes); a message may take twice that in memory' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l connect-timeout -d 'Limit for connecting, and again for the answer to CONNECT. Where the command ends by itself and has no -W, also for each further answer: to a PUBLISH of pub (not with -l), to SUBSCRIBE, and to the PINGREQ after the last QoS 0 message' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l reconnect -d 'When the link is lost: never, always, or how many attempts in a row may fail. Refused credentials, an untrusted certificate and three hang-ups on the same packet end the run all the same [default: always for sub and pub -l, 10 for retain-clear, else never]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l reconnect-max-delay -d 'Longest pause between two attempts to reconnect' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l wait-for-server -d 'For how long to try to make the first connection; 0 is one attempt' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l profile -d 'Profile of the configuration file to take options from [default: the one that its default-profile names]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l config -d 'Configuration file [default: ~/.config/mqtt/config.toml]' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -s o -l options-file -d 'File of options as mosquitto\'s clients have them: one a line, its value behind it after a blank, tabs or =' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l cafile -d 'Trust the certificate authorities in this PEM file; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l capath -d 'Trust the certificate authorities in the PEM files of this directory; turns TLS on' -r -f -a "(__fish_complete_directories)"
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l cert -d 'Client certificate to show, a PEM file with its chain; needs --key; turns TLS on' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l key -d 'Private key of the client certificate, a PEM file (PKCS#8, PKCS#1 or SEC1)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l key-password-file -d 'File that holds the password of an encrypted private key (PKCS#8)' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-alpn -d 'Application protocol to ask for (ALPN); several by commas, preferred first' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-server-name -d 'Name to send (SNI) and to find in the broker\'s certificate, where it is not the host' -r -f -a "(__fish_print_hostnames)"
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-version -d 'Speak only this version of TLS: tlsv1.2 or tlsv1.3 [default: the newest both know]' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l ciphers -d 'Cipher suites to allow, preferred first, by IANA\'s or OpenSSL\'s names, with colons between' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-pin -d 'Public key that the broker has to have, besides a certificate in order: sha256: and its SHA-256 in Base64 or hexadecimal; may be repeated, one has to fit' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l crl -d 'Certificate revocation lists to apply, a PEM file; may be repeated. One that cannot be read is an error' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-keylog -d 'Append the session keys to this file, with which a capture of the traffic can be read; env takes the name from SSLKEYLOGFILE' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l psk -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l psk-identity -d 'Not available: pre-shared keys' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-engine -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-engine-kpass-sha1 -d 'Not available: engines' -r
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l keyform -d 'Only pem is available' -r -f -a "pem\t''
engine\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l json -d 'Write one JSON object, in place of text'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -s S -l srv -d 'Take the host for a domain and ask DNS for its brokers, the service records of _mqtt._tcp or, with TLS, _secure-mqtt._tcp'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l ws -d 'Speak MQTT in a WebSocket, as ws:// and wss:// in -L do'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l nodelay -d 'Send small packets at once; always on, and taken for mosquitto\'s sake'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l password-prompt -d 'Ask for the password on the terminal, without showing it'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -s c -l disable-clean-session -d 'Go on with the session of an earlier connection and keep it; needs -i'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l follow-redirect -d 'Go where a broker sends its clients, with the same options and credentials (MQTT 5): at most 5 times in a row, and to at most 20 brokers'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-use-os-certs -d 'Trust the operating system\'s certificate authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name; turns TLS on. The default where TLS is on without --cafile and --capath'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l insecure -d 'Accept any broker: neither certificate nor host name is verified'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l no-tls -d 'Connect without TLS, whatever other options say'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from show" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from list" -l config -d 'Configuration file [default: ~/.config/mqtt/config.toml]' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from list" -l json -d 'Write one JSON object, in place of text'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from list" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from list" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from list" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from check" -l config -d 'Configuration file [default: ~/.config/mqtt/config.toml]' -r -F
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from check" -l json -d 'Write one JSON object, in place of text'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from check" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from check" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand config; and __fish_seen_subcommand_from check" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and not __fish_seen_subcommand_from install uninstall" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and not __fish_seen_subcommand_from install uninstall" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and not __fish_seen_subcommand_from install uninstall" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and not __fish_seen_subcommand_from install uninstall" -f -a "install" -d 'Make links by the names of mosquitto\'s clients'
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and not __fish_seen_subcommand_from install uninstall" -f -a "uninstall" -d 'Remove the links again'
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and __fish_seen_subcommand_from install" -l dir -d 'Folder of the links' -r -f -a "(__fish_complete_directories)"
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and __fish_seen_subcommand_from install" -l color -d 'Colour: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and __fish_seen_subcommand_from install" -l force -d 'Replace what is there, whatever it is'
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and __fish_seen_subcommand_from install" -l quiet -d 'Say nothing on standard error but usage errors; the exit status tells how it went'
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and __fish_seen_subcommand_from install" -l log-time -d 'Begin each line on standard error with the time: RFC 3339, UTC, milliseconds. --json-events has it anyway'
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and __fish_seen_subcommand_from install" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and __fish_seen_subcommand_from install" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and __fish_seen_subcommand_from install" -l version -d 'Print version'
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and __fish_seen_subcommand_from uninstall" -l dir -d 'Folder of the links' -r -f -a "(__fish_complete_directories)"
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and __fish_seen_subcommand_from uninstall" -l color -d 'Colour: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and __fish_seen_subcommand_from uninstall" -l quiet -d 'Say nothing on standard error but usage errors; the exit status tells how it went'
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and __fish_seen_subcommand_from uninstall" -l log-time -d 'Begin each line on standard error with the time: RFC 3339, UTC, milliseconds. --json-events has it anyway'
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and __fish_seen_subcommand_from uninstall" -l help -d 'Print help; --help GROUP for one group of options'
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and __fish_seen_subcommand_from uninstall" -l help-all -d 'Print all options, with every detail'
complete -c mqtt -n "__fish_mqtt_using_subcommand compat; and __fish_seen_subcommand_from uninstall" -l version -d 'Print version'
