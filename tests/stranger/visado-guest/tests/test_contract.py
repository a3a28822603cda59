from visado_kit import LoginContract


class TestGuest(LoginContract):
    stable = False  # each login is a new guest

    def make(self, host):
        return host.strategies["guest"]

    def request(self, harness, number):
        return {}
