# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_oxuv_global_optspecs
    string join \n h/help V/version
end

function __fish_oxuv_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_oxuv_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_oxuv_using_subcommand
    set -l cmd (__fish_oxuv_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c oxuv -n "__fish_oxuv_needs_command" -s h -l help -d 'Print help'
complete -c oxuv -n "__fish_oxuv_needs_command" -s V -l version -d 'Print version'
complete -c oxuv -n "__fish_oxuv_needs_command" -f -a "run" -d 'Run a program on the library, and prove that it took'
complete -c oxuv -n "__fish_oxuv_needs_command" -f -a "check" -d 'Tell which libuv functions a file needs, and which behave otherwise here'
complete -c oxuv -n "__fish_oxuv_needs_command" -f -a "env" -d 'List the variables that the library reads, with the values in force'
complete -c oxuv -n "__fish_oxuv_needs_command" -f -a "report" -d 'Make a page that shows what a trace has recorded'
complete -c oxuv -n "__fish_oxuv_using_subcommand run" -l trace -d 'Record what loops do into a file (OXUV_TRACE), for `oxuv report`' -r -F
complete -c oxuv -n "__fish_oxuv_using_subcommand run" -l stall -d 'Name callbacks that take longer than this many milliseconds (OXUV_STALL_MS)' -r
complete -c oxuv -n "__fish_oxuv_using_subcommand run" -l library -d 'The folder of the library, instead of the one that is installed with this command' -r -f -a "(__fish_complete_directories)"
complete -c oxuv -n "__fish_oxuv_using_subcommand run" -s q -l quiet -d 'Say nothing about which libuv the program ran on, if it was this one'
complete -c oxuv -n "__fish_oxuv_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c oxuv -n "__fish_oxuv_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c oxuv -n "__fish_oxuv_using_subcommand env" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c oxuv -n "__fish_oxuv_using_subcommand report" -s o -l output -d 'Where to put the page; by default beside the trace, with the ending .html' -r -F
complete -c oxuv -n "__fish_oxuv_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
