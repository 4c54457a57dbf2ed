# OWNER and the checksum are to be set before a release (docs/install.md).
class Mqtt < Formula
  desc "Publish, subscribe, request, load-test and repair over MQTT"
  homepage "https://github.com/OWNER/mqtt"
  url "https://github.com/OWNER/mqtt/archive/refs/tags/v0.1.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license any_of: ["MIT", "Apache-2.0"]
  head "https://github.com/OWNER/mqtt.git", branch: "main"

  depends_on "rust" => :build

  def install
    system "cargo", "install", *std_cargo_args
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/mqtt.bash" => "mqtt"
    zsh_completion.install "completions/_mqtt"
    fish_completion.install "completions/mqtt.fish"
    doc.install Dir["docs/*.md"]
  end

  test do
    # The embedded broker takes a free port, and ends with the command.
    script = "mqtt pub -r -t brew/test -m hello && mqtt sub -t brew/test -C 1"
    assert_equal "hello", shell_output("#{bin}/mqtt broker -p 0 -- sh -c '#{script}'").lines.last.chomp
  end
end
