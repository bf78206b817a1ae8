/** The package brings no types. */
declare module 'ntp-client' {
  const ntpClient: {
    /** Ms without an answer until a query fails; read when it begins. */
    ntpReplyTimeout: number;
    /** `date`: when the server sent its answer, in whole ms rounded down. A string for an error: there was no answer in time. */
    getNetworkTime(server: string, port: number, callback: (error: Error | string | null, date: Date) => void): void;
  };
  export default ntpClient;
}
