import HubStandIn

_ = HubStandIn()
