# `nix-build packaging` in a clone; `--argstr program mqtt-rs` where another program is called mqtt.
{
  pkgs ? import <nixpkgs> { },
  program ? "mqtt",
}:

pkgs.rustPlatform.buildRustPackage {
  pname = "mqtt";
  version = "0.1.0";

  src = pkgs.lib.cleanSource ../.;
  cargoLock.lockFile = ../Cargo.lock;

  nativeBuildInputs = [ pkgs.installShellFiles ];

  # As .cargo/config.toml has it, which a build outside of a clone does not read.
  env.AWS_LC_SYS_NO_JITTER_ENTROPY = "1";

  # The tests of the program need mosquitto, jq, shells and the loopback device.
  cargoTestFlags = [ "--lib" ];

  postInstall = ''
    for page in man/mqtt*.1; do
      page="''${page#man/mqtt}"
      install -Dm644 "man/mqtt$page" "$out/share/man/man1/${program}$page"
    done
    # Completions have the name of the program, too.
    sed -i 's/\b_mqtt\b/_${program}/g; s/\bmqtt\b/${program}/g' completions/mqtt.bash completions/_mqtt completions/mqtt.fish
    installShellCompletion --cmd ${program} \
      --bash completions/mqtt.bash --zsh completions/_mqtt --fish completions/mqtt.fish
  '' + pkgs.lib.optionalString (program != "mqtt") ''
    mv $out/bin/mqtt $out/bin/${program}
  '';

  meta = {
    description = "Command line for MQTT: publish, subscribe, request, load-test and repair";
    # OWNER is to be set before a release (docs/install.md).
    homepage = "https://github.com/OWNER/mqtt";
    license = with pkgs.lib.licenses; [ mit asl20 ];
    mainProgram = program;
    platforms = pkgs.lib.platforms.unix;
  };
}
