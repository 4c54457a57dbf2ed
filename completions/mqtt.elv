# Completion of mqtt for elvish. What is offered comes from the program that is being typed.

use str

set edit:completion:arg-completer[mqtt] = {|@words|
    var lines = [(print (str:join "\x00" [$@words '']) | (external $words[0]) __complete elvish | from-lines)]
    if (< (count $lines) 3) {
        return
    }
    var kind = $lines[0]
    if (==s $kind words) {
        for line $lines[3..] {
            var parts = [(str:split "\t" $line)]
            var word = $parts[0]
            var open = (or (str:has-suffix $word /) (str:has-suffix $word '=') (str:has-suffix $word ':'))
            var suffix = (if $open { put '' } else { put ' ' })
            var display = $word
            if (> (count $parts) 1) {
                set display = $word' ('$parts[1]')'
            }
            edit:complex-candidate $word &code-suffix=$suffix &display=$display
        }
    } elif (or (==s $kind files) (==s $kind directories)) {
        edit:complete-filename $lines[2] | each {|file|
            edit:complex-candidate $lines[1]$file[stem] &code-suffix=$file[code-suffix]
        }
    }
}
